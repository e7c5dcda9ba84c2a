"""Arrow IPC: schemas, and columns of types that have no other layout, as streams of one column without a name."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from ..errors import BlobCorrupt, ManifestCorrupt

_SHORT, _OFFSET, _BACK = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<i")
_BATCH = {"record batch": (2,), "dictionary": (2, 1)}
"""By the type of a message the fields that lead to its batch (Message.fbs: header, DictionaryBatch.data)."""
_COMPRESSION = 3
"""RecordBatch.compression."""


def stream(column: Any) -> memoryview:
    """An IPC stream of a chunked array, uncompressed, in memory of just its size."""
    table = pa.Table.from_arrays([column], names=[""])
    size = pa.MockOutputStream()
    _write(size, table)
    buffer = pa.allocate_buffer(size.size())
    _write(pa.FixedSizeBufferWriter(buffer), table)
    return memoryview(buffer)


def _write(sink: Any, table: Any) -> None:
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions()) as writer:
        writer.write_table(table)


def read_stream(data: memoryview) -> Any:
    """Read the chunked array in place; every offset and index is checked."""
    with damage(), open_stream(data) as reader:
        table = reader.read_all()
        table.validate(full=True)
    if table.num_columns != 1:
        raise ManifestCorrupt(f"the stream of a column holds {table.num_columns}")
    return table.column(0)


def open_stream(data: memoryview) -> Any:
    """A reader of a stream, which must be uncompressed: what it takes is then no more than its bytes."""
    for message in pa.ipc.MessageReader.open_stream(pa.py_buffer(data)):
        if message.type in _BATCH and _is_compressed(memoryview(message.metadata), _BATCH[message.type]):
            raise BlobCorrupt("a stream of Arrow data is compressed, which none of ours is")
    return pa.ipc.open_stream(pa.py_buffer(data))


def _is_compressed(metadata: memoryview, way: tuple[int, ...]) -> bool:
    """Whether the flat table of a batch, found in a message by the numbers of fields, says how it is compressed."""
    (table,) = _OFFSET.unpack_from(metadata)
    for number in way:
        place = _place(metadata, table, number)
        table = place + _OFFSET.unpack_from(metadata, place)[0]
    return bool(_place(metadata, table, _COMPRESSION) != table)


def _place(metadata: memoryview, table: int, number: int) -> int:
    """Where a field of a flat table is; where the table itself is, if it has no such field."""
    fields = table - _BACK.unpack_from(metadata, table)[0]
    at = _SHORT.size * (2 + number)
    is_there = at < _SHORT.unpack_from(metadata, fields)[0]
    return table + (_SHORT.unpack_from(metadata, fields + at)[0] if is_there else 0)


def read_schema(data: memoryview) -> Any:
    """Read a serialized schema."""
    with damage():
        return pa.ipc.read_schema(pa.py_buffer(data))


@contextmanager
def damage() -> Iterator[None]:
    """Say what Arrow finds wrong as damage; it reports a stream that ends too early as an error of the system."""
    try:
        yield
    except (pa.ArrowException, OSError, struct.error) as error:
        raise BlobCorrupt(f"Arrow data can't be read: {error}") from error
