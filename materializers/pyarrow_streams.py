"""Arrow IPC: schemas, and columns of types that have no other layout, as streams of one column without a name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from ..errors import BlobCorrupt, ManifestCorrupt


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
    with damage(), pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        table = reader.read_all()
        table.validate(full=True)
    if table.num_columns != 1:
        raise ManifestCorrupt(f"the stream of a column holds {table.num_columns}")
    return table.column(0)


def read_schema(data: memoryview) -> Any:
    """Read a serialized schema."""
    with damage():
        return pa.ipc.read_schema(pa.py_buffer(data))


@contextmanager
def damage() -> Iterator[None]:
    """Say what Arrow finds wrong as damage; it reports a stream that ends too early as an error of the system."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise BlobCorrupt(f"Arrow data can't be read: {error}") from error
