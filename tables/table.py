"""A table as a stream of Arrow batches, which DuckDB, Polars and pandas read by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ..errors import LinealError
from ..events.codec import UNREADABLE
from ..store import Store
from .base import Definition, Source, batch_of
from .cuts import unreadable
from .of_causes import CLAIMS, CODE_MET, ENVIRONMENTS, EQUIVALENCES
from .of_events import EVENT_TYPES, PAYLOADS
from .of_imports import IMPORTS
from .of_labels import ALIASES, DELETIONS, METADATA, METRICS, TAGS
from .of_log import EVENTS, REFERENCES
from .of_rows import CACHE, EVICTIONS, PINS, PIPELINES, RELEASES, RUNS, VERSIONS, VISUALIZATIONS
from .of_steps import PARAMETERS, PRODUCTIONS, STEPS, USES
from .of_values import COMPUTED

DEFINITIONS: dict[str, Definition] = {
    one.name: one
    for one in (
        EVENTS,
        PAYLOADS,
        REFERENCES,
        RUNS,
        PARAMETERS,
        PIPELINES,
        STEPS,
        USES,
        PRODUCTIONS,
        VERSIONS,
        COMPUTED,
        CACHE,
        PINS,
        RELEASES,
        EVICTIONS,
        TAGS,
        ALIASES,
        METADATA,
        METRICS,
        DELETIONS,
        VISUALIZATIONS,
        CODE_MET,
        ENVIRONMENTS,
        EQUIVALENCES,
        CLAIMS,
        IMPORTS,
        *EVENT_TYPES,
    )
}
"""Every table, by name."""


class Table:
    """A table of a store, as of a position or as it is whenever it is read. It holds nothing: each reading is anew."""

    def __init__(self, store: Store, name: str, upto: int | None) -> None:
        """The table of this name; `Tables` gives it."""
        self._store = store
        self._definition = DEFINITIONS[name]
        self._upto = upto

    @property
    def name(self) -> str:
        """What it is called."""
        return self._definition.name

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        return self._definition.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Its rows, in no order, as of when the first batch is asked for; about 65,000 a batch, and one at a time.

        Raises:
            LogCorrupt: What they are made from is damaged.
        """
        head = self._store.head().seq
        source = Source(self._store.environment, head if self._upto is None else self._upto)
        try:
            for found in self._definition.batches(source):
                rows = len(next(iter(found.values())))
                if rows:
                    yield batch_of(self.schema, found, rows)
        except LinealError:
            raise
        except (*UNREADABLE, RecursionError) as error:
            # Columns are not looked through before they are read: that would take as long.
            raise unreadable(f"{type(error).__name__}: {error}") from error

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows for whoever reads Arrow's C stream interface: one reading."""
        return self.to_reader().__arrow_c_stream__(requested_schema)

    def to_reader(self) -> pa.RecordBatchReader:
        """The rows as they are read."""
        return pa.RecordBatchReader.from_batches(self.schema, self.batches())

    def to_arrow(self) -> pa.Table:
        """All rows in memory."""
        return self.to_reader().read_all()

    def to_pandas(self, **options: Any) -> Any:
        """All rows as a DataFrame; the options are those of ``pyarrow.Table.to_pandas``."""
        return self.to_arrow().to_pandas(**options)

    def __repr__(self) -> str:
        return f"<Table {self.name}: {', '.join(self.schema.names)}>"
