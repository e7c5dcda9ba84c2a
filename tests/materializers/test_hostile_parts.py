"""Parts that were made to mislead what reads them in compiled code: an error of ours, and no more memory than bytes."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

from lineal.cas import BlobPart, Manifest, MemoryBlobs
from lineal.cas.manifest import Part, Plain
from lineal.errors import BlobCorrupt, ManifestCorrupt
from lineal.materializers import load, save
from lineal.materializers.pyarrow_streams import read_stream, stream
from lineal.materializers.registry import REGISTRY

ROOM_BYTES = 2 << 30


@pytest.fixture
def little_room() -> Iterator[None]:
    """So little memory beside what the process has that what is out of proportion does not fit."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as file:
        taken_bytes = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken_bytes + ROOM_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def loaded(format_id: str, head: Plain, parts: dict[str, Part], **options: Any) -> Any:
    return load(Manifest(format_id, "any", head, tuple(parts.items())), MemoryBlobs(), allow_pickle=False, **options)


def array_of(*values: float, dtype: str) -> Manifest:
    return save(np.array(values, dtype), MemoryBlobs()).manifest


def type_of(kind: pa.DataType) -> bytes:
    return bytes(pa.schema([("", kind)]).serialize())


def shown(value: object) -> str:
    views = REGISTRY.for_value(value).visualize(value)
    return "".join(str(view.content) for view in views)


@pytest.mark.parametrize("offset", [2**31 - 1, 2**31 - 8, 1])
@pytest.mark.parametrize("inner", ["<f8", {"base": "<f8", "shape": [1]}])
def test_a_field_that_ends_beyond_its_dtype_is_refused(offset: int, inner: Plain) -> None:
    dtype: Plain = {"names": ["a"], "formats": [inner], "offsets": [offset], "itemsize": 8, "aligned": False}
    with pytest.raises(ManifestCorrupt, match="ends beyond it"):
        loaded("numpy.ndarray/1", {"dtype": dtype, "shape": [1], "order": "C"}, {"data": bytes(8)})


def test_a_time_that_is_counted_in_none_of_a_unit_is_refused() -> None:
    """NumPy divides by the number of units."""
    with pytest.raises(ManifestCorrupt, match="describes no dtype"):
        loaded("numpy.ndarray/1", {"dtype": "<m8[0s]", "shape": [1], "order": "C"}, {"data": bytes(8)})


@pytest.mark.parametrize("null", ["0.", "0.0."], ids=["entry", "key"])
def test_a_map_with_keys_that_are_null_is_refused(null: str) -> None:
    lengths = np.array([1, 1], "<i4").tobytes()
    parts: dict[str, Part] = {"type": type_of(pa.map_(pa.int8(), pa.int8())), "lengths": lengths}
    parts |= {"0.0.data": b"kk", "0.1.data": b"vv", f"{null}validity": b"\0"}
    with pytest.raises(BlobCorrupt, match="null"):
        loaded("pyarrow.Array/2", {"length": 2, "type": None}, parts)


@pytest.mark.parametrize("values", [pa.array([0] * 1000), pa.array(["a"] * 1000).dictionary_encode()])
@pytest.mark.parametrize("compression", ["zstd", "lz4", None])
def test_a_stream_is_refused_if_it_is_compressed_and_else_read(values: pa.Array, compression: str | None) -> None:
    sink, table = pa.BufferOutputStream(), pa.table([values], names=[""])
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    parts: dict[str, Part] = {"type": type_of(values.type), "stream": sink.getvalue().to_pybytes()}
    head: Plain = {"length": len(values), "type": None}
    if compression is None:
        assert loaded("pyarrow.Array/2", head, parts) == values
    else:
        with pytest.raises(BlobCorrupt, match="compressed"):
            loaded("pyarrow.Array/2", head, parts)


@pytest.mark.parametrize(
    "values", [pa.chunked_array([["a"] * 9]), pa.chunked_array([pa.array(["a"]).dictionary_encode()])]
)
@pytest.mark.parametrize("damage", [0xFF, 0x80, 0x08, 0x01])
def test_a_stream_with_any_byte_changed_is_read_or_damaged(values: pa.ChunkedArray, damage: int) -> None:
    written = bytes(stream(values))
    found = set()
    for place in range(len(written)):
        changed = bytearray(written)
        changed[place] ^= damage
        try:
            found.add(read_stream(memoryview(changed)).type)
        except (BlobCorrupt, ManifestCorrupt):
            found.add(None)
    assert {None, values.type} <= found


@pytest.mark.usefixtures("little_room")
def test_texts_of_pandas_are_not_written_out_of_what_takes_no_bytes() -> None:
    nothing = Manifest("pyarrow.Array/2", "any", {"length": 2**40, "type": "null"})
    with pytest.raises(ManifestCorrupt, match="an array of strings holds null"):
        loaded("pandas.arrow/1", "nan", {"values": nothing})


def test_what_polars_has_no_type_for_is_an_error_of_ours() -> None:
    nothing = Manifest(
        "pyarrow.Array/2", "any", {"length": 3, "type": None}, (("type", type_of(pa.binary(0))), ("data", b""))
    )
    with pytest.raises(ManifestCorrupt, match="Polars can't take"):
        loaded("polars.Series/1", {"layout": "arrow", "name": ""}, {"values": nothing})


@pytest.mark.parametrize("texts", [["x" * 50] * 50_000, [["x" * 50]] * 50_000], ids=["texts", "lists"])
def test_polars_gets_no_text_that_is_not_utf_8_however_large_it_is(texts: list[Any]) -> None:
    blobs = MemoryBlobs()
    manifest = _with_large_parts(save(pl.Series(texts), blobs).manifest, blobs, b"\xff")
    with pytest.raises(BlobCorrupt, match="UTF8"):
        load(manifest, blobs)


def _with_large_parts(manifest: Manifest, blobs: MemoryBlobs, byte: bytes) -> Manifest:
    """The same, but for other data in blobs."""
    parts: list[tuple[str, Part]] = []
    for name, part in manifest.parts:
        if isinstance(part, Manifest):
            part = _with_large_parts(part, blobs, byte)
        elif isinstance(part, BlobPart) and name.endswith("data"):
            part = BlobPart(blobs.put(byte * part.size_bytes), part.size_bytes)
        parts.append((name, part))
    return manifest.replaced(parts=tuple(parts))


def _sparse(length: int, kind: str = "integer") -> Manifest:
    parts: dict[str, Part] = {"values": array_of(1.5, dtype="<f8"), "indices": array_of(5, dtype="<i4")}
    parts["fill_value"] = save(0.0, MemoryBlobs()).manifest
    return Manifest("pandas.sparse/1", "any", {"length": length, "kind": kind}, tuple(parts.items()))


def test_a_sparse_array_longer_than_its_places_can_tell_is_refused() -> None:
    with pytest.raises(ManifestCorrupt, match="longer"):
        load(_sparse(2**31), MemoryBlobs())


@pytest.mark.parametrize("kind", ["integer", "block"])
@pytest.mark.usefixtures("little_room")
def test_rows_of_a_long_sparse_array_take_memory_for_themselves_alone(kind: str) -> None:
    found: Any = load(_sparse(2**31 - 1, kind), MemoryBlobs(), rows=slice(4, 7))
    assert found.to_dense().tolist() == [0.0, 1.5, 0.0]
    index = Manifest("pandas.Index/1", "any", {"kind": "range", "bounds": [0, 2**31 - 1, 1]})
    series = loaded(
        "pandas.Series/1", {"allows_duplicate_labels": True}, {"index": index, "values": _sparse(2**31 - 1, kind)}
    )
    assert "1.5" in shown(series)
    assert REGISTRY.for_type(pd.DataFrame).metadata(series.to_frame("a"))["rows"] == 2**31 - 1


@pytest.mark.usefixtures("little_room")
def test_diagonals_of_a_vast_matrix_take_memory_for_themselves_alone() -> None:
    shape = (2**40, 2**40)
    vast = scipy.sparse.dia_array((np.array([[1.0, 2.0, 0.0]]), np.array([-3])), shape=shape)
    assert "2 values" in shown(vast)


def test_diagonals_show_what_scipy_says_that_they_store() -> None:
    data, offsets = np.arange(1.0, 13).reshape(3, 4), np.array([-1, 0, 2])
    for shape in ((4, 4), (2, 4), (4, 3), (6, 6)):
        value = scipy.sparse.dia_array((data, offsets), shape=shape)
        assert shown(value) == shown(value.tocoo())


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.null(), 2**31 - 1),
        pa.list_(pa.list_(pa.null(), 2**16), 2**15 - 1),
        pa.struct([("a", pa.list_(pa.null(), 2**31 - 1))]),
    ],
    ids=str,
)
@pytest.mark.usefixtures("little_room")
def test_lists_of_more_than_can_be_looked_at_are_shown_as_such(kind: pa.DataType) -> None:
    value = loaded("pyarrow.Array/2", {"length": 2, "type": None}, {"type": type_of(kind)})
    assert "…" in shown(value)


def test_maps_and_lists_are_shown_with_what_they_hold() -> None:
    maps = pa.array([[(1, 17)], None, [(2, 18)]], pa.map_(pa.int8(), pa.int8()))
    lists = pa.array([[[17]], None, [[18]]])
    for value in (
        maps,
        maps[1:],
        lists,
        lists.cast(pa.large_list(pa.list_(pa.int8()))),
        pa.StructArray.from_arrays([lists], ["a"]),
    ):
        assert "18" in shown(value)
