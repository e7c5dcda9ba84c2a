from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lineal.cas import Batch, BlobFiles, Digest, Manifest, MemoryBlobs
from lineal.errors import BlobCorrupt, ManifestCorrupt
from lineal.materializers import load, runs_code, save

RoundTrip = Callable[[Any], tuple[Any, Manifest]]

LONG = "a text that is not kept in place"
ARRAYS = [
    pa.array([1, None, 3]),
    pa.array([True, None, False]),
    pa.array([1.5, -0.0], pa.float32()),
    pa.nulls(3),
    pa.array(["a", None, "é"]),
    pa.array(["a"], pa.large_string()),
    pa.array([LONG, None, "b"], pa.string_view()),
    pa.array([b"xy"], pa.binary(2)),
    pa.array([1], pa.decimal128(5, 2)),
    pa.array([1, 2], pa.timestamp("us", "Europe/Berlin")),
    pa.array([[1], None, [2, None]]),
    pa.array([[1, 2], None], pa.list_(pa.int8(), 2)),
    pa.array([[1], [2, 3]], pa.list_view(pa.int64())),
    pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
    pa.array([{"a": 1, "b": [True]}, None]),
    pa.array(["a", "b", None, "a"]).dictionary_encode(),
    pa.UnionArray.from_dense(
        pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()), [pa.array([1, 2]), pa.array(["x"])]
    ),
    pa.RunEndEncodedArray.from_arrays([3, 10], ["a", "b"]),
    pa.array([], pa.list_(pa.string())),
]


def content(value: Any) -> Digest:
    return save(value, MemoryBlobs()).manifest.digest


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.type))
def test_an_array_comes_back_whole_sliced_chunked_and_in_a_table(round_trip: RoundTrip, array: Any) -> None:
    field = pa.field("x", array.type, metadata={"unit": "m"})
    schema = pa.schema([field, ("y", array.type)], metadata={"made": "here"})
    for value in (
        array,
        array.slice(1),
        pa.chunked_array([array, array.slice(1), array]),
        pa.table([array, array], schema=schema),
        pa.record_batch([array, array], schema=schema),
    ):
        loaded, manifest = round_trip(value)
        assert type(loaded) is type(value)
        assert loaded.equals(value)
        if isinstance(value, (pa.Table, pa.RecordBatch)):
            assert loaded.schema.equals(value.schema, check_metadata=True)
        assert not runs_code(manifest, MemoryBlobs())


def test_a_table_without_columns_keeps_its_rows_and_metadata(round_trip: RoundTrip) -> None:
    table = pa.table({"a": [1, 2]}).replace_schema_metadata({"k": "v"}).select([])
    loaded, _ = round_trip(table)
    assert (loaded.num_rows, loaded.schema.metadata) == (2, {b"k": b"v"})
    assert round_trip(pa.record_batch({"a": [1, 2]}).select([]))[0].num_rows == 2
    assert round_trip(pa.table({}))[0].num_rows == 0


def test_a_slice_does_not_drag_along_what_it_was_cut_from() -> None:
    rows = 100_000
    table = pa.table(
        {"i": np.arange(rows), "s": [str(one) for one in range(rows)], "l": [[one] for one in range(rows)]}
    )
    sliced = save(table.slice(5, 10), MemoryBlobs()).manifest
    assert sliced.size_bytes < 4096
    assert sliced.digest == content(table.take(pa.array(range(5, 15))))


def test_chunks_and_what_lies_under_nulls_are_no_part_of_the_content() -> None:
    hidden = pa.array(np.array([1.0, 2.0, 3.0]), mask=np.array([False, True, False]))
    assert content(hidden) == content(pa.array([1.0, None, 3.0]))
    bits = pa.array([True] * 24).slice(0, 5)
    assert content(bits) == content(pa.array([True] * 5))
    assert content(pa.table({"a": pa.chunked_array([[1], [2, 3]])})) == content(pa.table({"a": [1, 2, 3]}))
    dictionaries = pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array(["c"]).dictionary_encode()])
    assert content(dictionaries) == content(pa.chunked_array([pa.array(["a", "b", "c"]).dictionary_encode()]))


def test_renaming_a_column_writes_no_new_blob_and_replacing_it_writes_one() -> None:
    table = pa.table({"a": np.arange(100_000), "b": np.arange(100_000.0)})
    blobs = [set(save(one, MemoryBlobs()).manifest.named()) for one in (table, table.rename_columns(["p", "q"]))]
    assert blobs[0] == blobs[1]
    changed = table.set_column(0, "a", pa.array(np.ones(100_000)))
    assert len(set(save(changed, MemoryBlobs()).manifest.named()) - blobs[0]) == 1


def test_a_large_column_is_read_in_place(tmp_path: Path) -> None:
    files = BlobFiles(tmp_path)
    files.create()
    table = pa.table({"a": np.arange(1_000_000), "s": [str(one) for one in range(1_000_000)]})
    with Batch(files) as batch:
        manifest = save(table, batch).manifest
        batch.publish()
    before_bytes = pa.total_allocated_bytes()
    loaded: Any = load(manifest, files)
    assert pa.total_allocated_bytes() - before_bytes < 64 * 1024
    assert loaded.equals(table)


@pytest.mark.parametrize("position", range(3))
def test_damaged_bytes_are_found_on_loading(position: int) -> None:
    table = pa.table({"d": pa.array(["a", "b", "a"]).dictionary_encode(), "s": ["x", "yy", "zzz"]})
    blobs = MemoryBlobs()
    manifest = save(table, blobs).manifest
    name, data = manifest.parts[position]
    assert isinstance(data, bytes)
    refused = 0
    for offset in range(0, len(data), 3):
        damaged = data[:offset] + bytes([data[offset] ^ 0xFF]) + data[offset + 1 :]
        for bad in (damaged, data[:offset]):
            parts = tuple((one, bad if one == name else part) for one, part in manifest.parts)
            try:
                load(Manifest(manifest.format, manifest.type, None, parts), blobs)
            except (BlobCorrupt, ManifestCorrupt):
                refused += 1
    assert refused > len(data) // 3


def test_columns_that_do_not_fit_the_schema_are_a_damaged_manifest() -> None:
    blobs = MemoryBlobs()
    manifest = save(pa.table({"a": [1, 2], "b": ["x", "y"]}), blobs).manifest
    other = dict(save(pa.table({"a": [1, 2, 3], "b": [1, 2, 3]}), blobs).manifest.parts)
    for name in ("schema", "column.0", "column.1"):
        parts = tuple((one, other[name] if one == name else part) for one, part in manifest.parts)
        with pytest.raises((ManifestCorrupt, BlobCorrupt)):
            load(Manifest(manifest.format, manifest.type, None, parts), blobs)


def test_metadata_says_rows_columns_and_types() -> None:
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    assert save(table, MemoryBlobs()).metadata == {"rows": 2, "columns": 2, "types": {"a": "int64", "b": "string"}}
    assert save(table["a"], MemoryBlobs()).metadata == {"length": 2, "type": "int64"}
