"""The table of what materializers said of values when they were saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgpack
import numpy as np
import pyarrow as pa

from ..events.catalogue import Output
from ..events.projections import Artifacts
from ..events.projections.artifacts import BY_HAND
from .base import Batch, Definition, Source, columns
from .of_labels import as_json
from .of_steps import MAKERS
from .packed import Cells
from .pages import LogPage, Read, columns_of, events_at, fields_of, row_pages

_SAID: dict[str, Read] = {"artifact": Cells.texts, "content": Cells.hexes, "metadata": Cells.raw}
_PAGE_VERSIONS = 4096
"""So many are told at a time: each may have dozens of rows."""


def _computed(source: Source) -> Iterator[Batch]:
    for page in row_pages(source.database, Artifacts.name, "c", source.upto, newest=True):
        record = page.cells.entered()
        names, numbers = record.texts().to_pylist(), record.integers().values.tolist()
        versions = list(zip(names, page.keys.digests().to_pylist(), page.seqs.tolist(), strict=True))
        for start in range(0, len(versions), _PAGE_VERSIONS):
            part = slice(start, start + _PAGE_VERSIONS)
            events, _ = events_at(source.database, page.seqs[part])
            wanted = dict(zip(versions[part], numbers[part], strict=True))
            told = ((made, wanted.pop(made[:3], None)) for made in _made(events))
            yield _batch([row for made, number in told if number is not None for row in _rows(made, number)])


def _made(events: LogPage) -> Iterator[tuple[str, str, int, bytes]]:
    """What events made: artifact, content, position and packed metadata of each output."""
    several = columns_of(events, MAKERS, {"outputs": Cells.elements})
    if several is not None:
        rows, outputs = several.fields["outputs"]
        yield from _outputs(outputs.entered(), several.seq[rows])
    single = columns_of(events, BY_HAND, {"output": Cells.record})
    if single is not None:
        yield from _outputs(single.fields["output"], single.seq)


def _outputs(outputs: Cells, positions: np.ndarray[Any, Any]) -> Iterator[tuple[str, str, int, bytes]]:
    found = fields_of(outputs, Output._fields, _SAID)
    artifacts, contents, said = (found[name].to_pylist() for name in _SAID)
    return zip(artifacts, contents, positions.tolist(), said, strict=True)


def _rows(made: tuple[str, str, int, bytes], number: int) -> Iterator[tuple[Any, ...]]:
    """A row for each key; for each item of what has items by name, as a mean for each column."""
    artifact, content, seq, packed = made
    said = msgpack.unpackb(packed, strict_map_key=False, unicode_errors="surrogatepass") if packed else {}
    for key, value in said.items():
        items = value.items() if isinstance(value, Mapping) and value else [(None, value)]
        for item, one in items:
            yield artifact, number, content, key, item, as_json(one), _number(one), seq


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _batch(rows: list[tuple[Any, ...]]) -> Batch:
    listed = list(zip(*rows, strict=True)) or [()] * len(_SCHEMA)
    return {field.name: pa.array(column, field.type) for field, column in zip(_SCHEMA, listed, strict=True)}


_SCHEMA = columns(
    artifact="string",
    version="int64",
    content="string",
    key="string",
    item="string",
    value="string",
    number="double",
    seq="int64",
)
COMPUTED = Definition("computed_metadata", _SCHEMA, _computed)
