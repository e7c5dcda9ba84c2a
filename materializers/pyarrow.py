"""Arrow: one uncompressed IPC stream a column, read in place.

Columns are written without their names, so that renaming one changes no blob; names, nullability and metadata are in
the table's own part ``schema``. How a column was cut into chunks is no part of its value: it is written in one, without
the rest of what it was sliced from and without what lies under its nulls.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from ..cas.manifest import Plain
from ..errors import BlobCorrupt, ManifestCorrupt, UnsavableValue
from .base import Materializer, PartReader, PartWriter, shown, type_name

_SHOWN_MAX_COLUMNS = 100


class _Columns(Materializer[Any]):
    """Tables and batches."""

    def save(self, value: Any, parts: PartWriter) -> Plain:
        with _refusals(value):
            parts.buffer("schema", memoryview(value.schema.serialize()))
            for index, column in enumerate(value.columns):
                parts.buffer(f"column.{index}", _stream(_canonical(column)))
            if not value.columns:
                # Only a batch can say how many rows there are.
                parts.buffer("rows", _stream(pa.table(value)))
        return None

    def load(self, head: Any, parts: PartReader) -> Any:
        schema = _schema(parts.buffer("schema"))
        # Names are decoded where they are asked for: here, so that damage to them is found on loading.
        columns = [_column(parts.buffer(f"column.{index}")) for index in range(len(schema.names))]
        if not columns:
            return self._of_rows(_table(parts.buffer("rows")))
        if len({len(column) for column in columns}) > 1:
            raise ManifestCorrupt("the columns of a table differ in length", where=self.format)
        with _damage():
            return self._of_columns(columns, schema)

    @abstractmethod
    def _of_columns(self, columns: list[Any], schema: Any) -> Any:
        """Put chunked columns together."""

    @abstractmethod
    def _of_rows(self, table: Any) -> Any:
        """Turn a table without columns into what is wanted."""

    def metadata(self, value: Any) -> dict[str, Plain]:
        fields = list(value.schema)[:_SHOWN_MAX_COLUMNS]
        types: dict[str, Plain] = {shown(field.name): shown(field.type) for field in fields}
        return {"rows": value.num_rows, "columns": value.num_columns, "types": types}


class Table(_Columns):
    """Tables, with their schema and its metadata."""

    format: ClassVar[str] = "pyarrow.Table/1"

    def _of_columns(self, columns: list[Any], schema: Any) -> Any:
        return pa.Table.from_arrays(columns, schema=schema)

    def _of_rows(self, table: Any) -> Any:
        return table


class RecordBatch(_Columns):
    """Record batches, with their schema and its metadata."""

    format: ClassVar[str] = "pyarrow.RecordBatch/1"

    def _of_columns(self, columns: list[Any], schema: Any) -> Any:
        return pa.RecordBatch.from_arrays([column.combine_chunks() for column in columns], schema=schema)

    def _of_rows(self, table: Any) -> Any:
        batches = table.to_batches()
        return batches[0] if batches else pa.RecordBatch.from_arrays([], schema=table.schema)


class ChunkedArray(Materializer[Any]):
    """Chunked arrays, in as few chunks as they can be."""

    format: ClassVar[str] = "pyarrow.ChunkedArray/1"

    def save(self, value: Any, parts: PartWriter) -> Plain:
        with _refusals(value):
            parts.buffer("data", _stream(_canonical(value)))
        return None

    def load(self, head: Any, parts: PartReader) -> Any:
        return _column(parts.buffer("data"))

    def metadata(self, value: Any) -> dict[str, Plain]:
        return {"length": len(value), "type": shown(value.type)}


class Array(ChunkedArray):
    """Arrays of any type that Arrow itself can write."""

    format: ClassVar[str] = "pyarrow.Array/1"

    def load(self, head: Any, parts: PartReader) -> Any:
        column = super().load(head, parts)
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _canonical(column: Any) -> Any:
    """The column as a table of its own, in one chunk where it fits, without noise."""
    chunked = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    if chunked.num_chunks > 1:
        try:
            chunked = _unnamed(chunked).unify_dictionaries().combine_chunks().column(0)
        except pa.ArrowNotImplementedError:
            return _unnamed(chunked)
    chunks = [_without_noise(chunk) for chunk in chunked.chunks if len(chunk)]
    return _unnamed(pa.chunked_array(chunks, type=chunked.type))


def _unnamed(column: Any) -> Any:
    return pa.Table.from_arrays([column], names=[""])


def _without_noise(array: Any) -> Any:
    try:
        # Arrow writes more of a buffer than is used, so only buffers of just their size say nothing else.
        is_exact = array.get_total_buffer_size() == array.nbytes + _uncounted_bytes(array.type)
        if is_exact and not _may_hold_noise(array):
            return array
        taken = array.take(pa.array(np.arange(len(array))))
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return array
    return taken if taken.type == array.type else array


def _uncounted_bytes(kind: Any) -> int:
    """What `nbytes` leaves out: the last of the offsets, at each level."""
    of = pa.types
    is_large = of.is_large_list(kind) or of.is_large_string(kind) or of.is_large_binary(kind)
    is_small = of.is_list(kind) or of.is_map(kind) or of.is_string(kind) or of.is_binary(kind)
    own = 8 if is_large else 4 * is_small
    return own + sum(_uncounted_bytes(kind.field(index).type) for index in range(kind.num_fields))


def _may_hold_noise(array: Any) -> bool:
    """Whether bytes under nulls, or bits past the end, would be written that are no part of the value."""
    kind = array.type
    if array.null_count or pa.types.is_boolean(kind):
        return True
    if isinstance(array, pa.ExtensionArray):
        return _may_hold_noise(array.storage)
    if isinstance(array, pa.DictionaryArray):
        return _may_hold_noise(array.dictionary)
    if isinstance(array, pa.StructArray):
        return any(_may_hold_noise(array.field(index)) for index in range(kind.num_fields))
    if isinstance(array, (pa.ListArray, pa.LargeListArray, pa.FixedSizeListArray)):
        return _may_hold_noise(array.values)
    return bool(kind.num_fields)


def _stream(table: Any) -> memoryview:
    """An IPC stream of the table, in memory of just its size."""
    size = pa.MockOutputStream()
    _write(size, table)
    buffer = pa.allocate_buffer(size.size())
    _write(pa.FixedSizeBufferWriter(buffer), table)
    return memoryview(buffer)


def _write(sink: Any, table: Any) -> None:
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions()) as writer:
        writer.write_table(table)


def _schema(data: memoryview) -> Any:
    with _damage():
        return pa.ipc.read_schema(pa.py_buffer(data))


def _table(data: memoryview) -> Any:
    """Read a stream in place; every offset and index is checked."""
    with _damage(), pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        table = reader.read_all()
        table.validate(full=True)
        return table


def _column(data: memoryview) -> Any:
    table = _table(data)
    if table.num_columns != 1:
        raise ManifestCorrupt(f"the stream of a column holds {table.num_columns}")
    return table.column(0)


@contextmanager
def _damage() -> Iterator[None]:
    # Arrow reports a stream that ends too early as an error of the system.
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise BlobCorrupt(f"Arrow data can't be read: {error}") from error


@contextmanager
def _refusals(value: object) -> Iterator[None]:
    try:
        yield
    except pa.ArrowException as error:
        name = type_name(type(value))
        raise UnsavableValue(
            f"a {name} can't be saved: {error}", hint="Cast it to types that Arrow IPC can write.", type=name
        ) from error
