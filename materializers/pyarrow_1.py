"""Arrow as its first formats had it: an uncompressed IPC stream a column, read in place. Nothing is saved so now."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa

from ..errors import ManifestCorrupt
from . import pyarrow
from .base import PartReader, Selection, check_rows_alone
from .pyarrow import columns_selected
from .pyarrow_streams import damage, open_stream, read_schema, read_stream


class _Columns1(pyarrow.Columns):
    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> Any:
        schema = read_schema(parts.buffer("schema"))
        with damage():
            if not schema.names:
                with open_stream(parts.buffer("rows")) as reader:
                    return self._sliced(reader.read_all().num_rows, [], schema, selection)
            numbers = columns_selected(schema.names, selection)
            columns = [read_stream(parts.buffer(f"column.{number}")) for number in numbers]
            if len({len(column) for column in columns}) > 1:
                raise ManifestCorrupt("the columns of a table differ in length", where=self.format)
            rows = len(columns[0]) if columns else 0
            chosen = pa.schema([schema.field(number) for number in numbers], metadata=schema.metadata)
            return self._sliced(rows, columns, chosen, selection)

    def _sliced(self, rows: int, columns: list[Any], schema: Any, selection: Selection) -> Any:
        start, stop, _ = (selection.rows or slice(None)).indices(rows)
        length = max(0, stop - start)
        return self.made([column.slice(start, length) for column in columns], schema, length)


class Table1(_Columns1, pyarrow.Table):
    """Tables, with their schema and its metadata."""

    format: ClassVar[str] = "pyarrow.Table/1"


class RecordBatch1(_Columns1, pyarrow.RecordBatch):
    """Record batches, with their schema and its metadata."""

    format: ClassVar[str] = "pyarrow.RecordBatch/1"


class _Values1(pyarrow.Array):
    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> Any:
        check_rows_alone(self, selection)
        column = read_stream(parts.buffer("data"))
        start, stop, _ = (selection.rows or slice(None)).indices(len(column))
        with damage():
            return self._made(column.slice(start, max(0, stop - start)))


class Array1(_Values1):
    """Arrays of any type that Arrow itself can write."""

    format: ClassVar[str] = "pyarrow.Array/1"


class ChunkedArray1(_Values1, pyarrow.ChunkedArray):
    """Chunked arrays, in as few chunks as they can be."""

    format: ClassVar[str] = "pyarrow.ChunkedArray/1"
