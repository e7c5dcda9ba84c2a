"""Datasets and streams of batches in Arrow: their rows, batch by batch, in constant memory.

How rows were cut into files and batches is no part of the value: they are cut anew. A dataset comes back as one whose
batches are mapped, a reader as one that loads each batch when its turn comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.dataset

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .base import Materializer, PartReader, PartWriter, shown
from .pyarrow_streams import read_schema

_BATCH_ROWS = 128 * 1024
_SHOWN_MAX_COLUMNS = 100
_DATASET, _READER = "dataset", "reader"


class Batches(Materializer[Any]):
    """Datasets of any kind, and record batch readers, which are used up by being saved."""

    format: ClassVar[str] = "pyarrow.batches/1"

    def save(self, value: Any, parts: PartWriter) -> Plain:
        is_dataset = isinstance(value, pyarrow.dataset.Dataset)
        parts.buffer("schema", memoryview(value.schema.serialize()))
        batches = value.to_batches(batch_size=_BATCH_ROWS) if is_dataset else value
        parts.value("batches", (batch for batch in _cut_anew(batches, value.schema)))
        return _DATASET if is_dataset else _READER

    def load(self, head: Any, parts: PartReader) -> Any:
        if head not in (_DATASET, _READER):
            raise ManifestCorrupt(f"batches can't be a {head!r}", where=self.format)
        schema = read_schema(parts.buffer("schema"))
        batches = _checked(parts.value("batches"), schema)
        if head == _READER:
            return pa.RecordBatchReader.from_batches(schema, batches)
        return pyarrow.dataset.dataset(list(batches) or [pa.RecordBatch.from_pylist([], schema)], schema=schema)

    def metadata(self, value: Any) -> dict[str, Plain]:
        fields = list(value.schema)[:_SHOWN_MAX_COLUMNS]
        return {"columns": len(value.schema), "types": {shown(field.name): shown(field.type) for field in fields}}


def _cut_anew(batches: Iterable[Any], schema: Any) -> Iterator[Any]:
    """The same rows in batches of one size, the last one shorter."""
    waiting: list[Any] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= _BATCH_ROWS:
            table = pa.Table.from_batches(waiting, schema)
            yield _one(table.slice(0, _BATCH_ROWS))
            waiting = table.slice(_BATCH_ROWS).to_batches()
            rows -= _BATCH_ROWS
    if rows:
        yield _one(pa.Table.from_batches(waiting, schema))


def _one(table: Any) -> Any:
    columns = [column.combine_chunks() for column in table.columns]
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)


def _checked(batches: Any, schema: Any) -> Iterator[Any]:
    for batch in batches:
        if not isinstance(batch, pa.RecordBatch) or batch.schema != schema:
            raise ManifestCorrupt("a batch has another schema than all of them together")
        yield batch
