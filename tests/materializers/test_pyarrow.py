from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from lineal.cas import Batch, BlobFiles, Digest, Manifest, MemoryBlobs
from lineal.errors import BlobCorrupt, Invalid, ManifestCorrupt
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
    pa.array([[1], [2, 3], None], pa.list_view(pa.int64())),
    pa.array([[1], None, [2, 3]], pa.large_list_view(pa.int64())),
    pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
    pa.array([{"a": 1, "b": [True]}, None]),
    pa.array(["a", "b", None, "a"]).dictionary_encode(),
    pa.UnionArray.from_dense(
        pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()), [pa.array([1, 2]), pa.array(["x"])]
    ),
    pa.RunEndEncodedArray.from_arrays([3, 10], ["a", "b"]),
    pa.array([], pa.list_(pa.string())),
    pa.array([[["a", None], None], None, [[]], [["bc"]] * 9]),
    pa.array([{"s": "x", "l": [{"d": 1.5}]}, {"s": None, "l": None}] * 5),
    pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
    pa.array([1, None], pa.decimal256(50, 2)),
    pa.array([b"", None], pa.binary(0)),
    pa.array([b"x" * 30, None], pa.binary_view()),
    pa.array([[1.5, 2.5], None, [3.5, 4.5]], pa.list_(pa.float16(), 2)),
    pa.array([["x"], None], pa.large_list(pa.large_binary())),
    pa.array([uuid.UUID(int=3).bytes, None], pa.uuid()),
    pa.array([["p", "q", "p"], None], pa.list_(pa.dictionary(pa.int8(), pa.string(), ordered=True))),
    pa.array([{"a": 1}, None], pa.struct([pa.field("a", pa.int64(), nullable=False, metadata={"k": "v"})])),
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


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.type))
def test_what_an_array_was_sliced_from_leaves_no_trace(array: Any) -> None:
    doubled = pa.concat_arrays([array, array]) if not is_stiff(array.type) else array
    for start in range(len(array)):
        expected = content(pa.array(array.slice(start).to_pylist(), array.type)) if is_made(array.type) else None
        assert expected in (None, content(array.slice(start)))
        assert content(doubled.slice(start, 1)) == content(array.slice(start, 1))


def is_stiff(kind: Any) -> bool:
    return pa.types.is_union(kind) or pa.types.is_run_end_encoded(kind)


def is_made(kind: Any) -> bool:
    """Whether Arrow makes arrays of this type of Python values; a slice keeps its dictionary."""
    return not (is_stiff(kind) or "dictionary" in str(kind) or "struct" in str(kind))


def test_what_lies_under_nulls_is_dropped_at_every_level() -> None:
    mask = pa.array([False, True, False])
    hidden = pa.array([1, 77, 3])
    struct = pa.StructArray.from_arrays([hidden], ["a"], mask=mask)
    assert content(struct) == content(pa.array([{"a": 1}, None, {"a": 3}]))
    offsets = pa.array([0, 1, 2, 3], pa.int32())
    assert content(pa.ListArray.from_arrays(offsets, hidden, mask=mask)) == content(pa.array([[1], None, [3]]))
    fixed = pa.FixedSizeListArray.from_arrays(hidden, 1, mask=mask)
    assert content(fixed) == content(pa.array([[1], None, [3]], pa.list_(pa.int64(), 1)))
    text = pa.array(["a", "secret", "b"])
    noisy = pa.Array.from_buffers(pa.string(), 3, [pa.py_buffer(b"\x05"), *text.buffers()[1:]])
    assert content(noisy) == content(pa.array(["a", None, "b"]))
    bits = pa.Array.from_buffers(pa.bool_(), 3, [pa.py_buffer(b"\xfd"), pa.py_buffer(b"\xff")])
    assert content(bits) == content(pa.array([True, None, True]))


def parts_of(value: Any) -> dict[str, Any]:
    return dict(save(value, MemoryBlobs()).manifest.parts)


def test_an_inserted_row_leaves_the_bytes_before_and_after_it_as_they_were() -> None:
    words = [f"word {number}" for number in range(1000)]
    before = parts_of(pa.table({"s": words, "i": range(1000), "l": [[number] for number in range(1000)]}))
    words.insert(500, "new")
    numbers = [*range(500), 77, *range(500, 1000)]
    after = parts_of(pa.table({"s": words, "i": numbers, "l": [[number] for number in numbers]}))
    inserted = {"0.lengths": 4, "0.data": 3, "1.data": 8, "2.lengths": 4, "2.0.data": 8}
    assert list(before) == list(after) == ["schema", *inserted]
    for name, size_bytes in inserted.items():
        one, other = before[name], after[name]
        assert len(other) == len(one) + size_bytes, name
        assert any(one == other[:at] + other[at + size_bytes :] for at in range(len(other))), name


def test_some_columns_and_rows_are_loaded_without_the_others() -> None:
    columns = {f"c{number}": array for number, array in enumerate(ARRAYS) if len(array) == 3}
    table = pa.table({**columns, "many": [list(range(number)) for number in range(3)]})
    blobs = MemoryBlobs()
    for value in (table, table.to_batches()[0]):
        manifest = save(value, blobs).manifest
        for start, stop in ((0, 3), (1, 2), (2, 2), (-1, None), (5, 9)):
            loaded: Any = load(manifest, blobs, rows=slice(start, stop))
            assert loaded.equals(pa.table(table)[start:stop] if value is table else value[start:stop])
            loaded.validate(full=True)
        loaded = load(manifest, blobs, columns=["many", "c0"], rows=slice(1, 3))
        assert loaded.equals(value.select(["many", "c0"])[1:3])
    with pytest.raises(Invalid, match="nope"):
        load(manifest, blobs, columns=["nope"])


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.type))
def test_any_slice_of_an_array_is_loaded_as_it_would_be_cut(array: Any) -> None:
    many = pa.concat_arrays([array] * 7) if not is_stiff(array.type) else array
    blobs = MemoryBlobs()
    manifest = save(many, blobs).manifest
    for start in range(0, len(many), 3):
        for stop in range(start, len(many) + 2, 5):
            loaded: Any = load(manifest, blobs, rows=slice(start, stop))
            loaded.validate(full=True)
            assert loaded.equals(many[start:stop])


def test_only_what_was_asked_for_is_read(tmp_path: Path) -> None:
    rows = 1_000_000
    table = pa.table({"a": np.arange(rows), "b": np.arange(rows) * 0.5, "s": ["x"] * rows})
    blobs = Asked()
    manifest = save(table, blobs).manifest
    load(manifest, blobs, columns=["b"], rows=slice(10, 20))
    assert blobs.asked == [(rows * 8, 80, 160)]


class Asked(MemoryBlobs):
    """Blobs in memory that note what was looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, int, int | None]] = []

    def view(self, digest: Digest, size_bytes: int, start: int = 0, stop: int | None = None) -> memoryview:
        self.asked.append((size_bytes, start, stop))
        return super().view(digest, size_bytes, start, stop)


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
    ends = {"memory_bytes": table.nbytes, "min": {"a": 1}, "max": {"a": 2}, "mean": {"a": 1.5}}
    expected = {"rows": 2, "columns": 2, "types": {"a": "int64", "b": "string"}, **ends}
    assert save(table, MemoryBlobs()).metadata == expected
    assert save(table["a"], MemoryBlobs()).metadata == {"length": 2, "type": "int64", "memory_bytes": 16}


def test_a_dataset_comes_back_however_its_rows_were_cut_into_files(round_trip: RoundTrip, tmp_path: Path) -> None:
    table = pa.table({"a": pa.array(range(300_000)), "t": ["x", None, "y"] * 100_000})
    for number in range(3):
        pq.write_table(table.slice(number * 100_000, 100_000), tmp_path / f"{number}.parquet", row_group_size=7000)
    blobs = MemoryBlobs()
    files, memory = pyarrow.dataset.dataset(str(tmp_path)), pyarrow.dataset.dataset(table)
    saved = save(files, blobs)
    contents = [part for name, part in saved.manifest.parts if name == "batches"]
    assert contents == [part for name, part in save(memory, blobs).manifest.parts if name == "batches"]
    loaded: Any = load(saved.manifest, blobs)
    assert loaded.to_table().equals(table)
    assert not runs_code(saved.manifest, blobs)
    empty, _ = round_trip(pyarrow.dataset.dataset(table.slice(0, 0)))
    assert empty.to_table().equals(table.slice(0, 0))


def test_a_stream_of_batches_comes_back_as_one() -> None:
    table = pa.table({"a": [1, 2, 3]})
    blobs = MemoryBlobs()
    loaded: Any = load(save(table.to_reader(max_chunksize=1), blobs).manifest, blobs)
    assert isinstance(loaded, pa.RecordBatchReader)
    assert loaded.read_all().equals(table)
