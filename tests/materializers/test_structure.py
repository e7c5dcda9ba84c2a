"""How values are laid out: what rides in a manifest, what is a blob of its own, and what it succeeds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from lineal.cas import Digest, Manifest, MemoryBlobs
from lineal.cas.blob import BlobKind, walk
from lineal.cas.digest import Buffer
from lineal.cas.manifest import BlobPart, ManifestPart
from lineal.materializers import Previous, is_plain, load, runs_code, save

MIB = 1024 * 1024
LENGTH = MIB // 8


class Recorder(MemoryBlobs):
    """Blobs in memory that note what each put was said to succeed."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: list[tuple[Digest, int, Digest | None]] = []

    def put(
        self, data: Buffer, kind: BlobKind = BlobKind.BYTES, *, item_bytes: int = 1, after: Digest | None = None
    ) -> Digest:
        digest = super().put(data, kind, item_bytes=item_bytes, after=after)
        self.puts.append((digest, item_bytes, after))
        return digest

    def put_stream(self, chunks: Iterable[Buffer], *, after: Digest | None = None) -> BlobPart:
        part = super().put_stream(chunks)
        self.puts.append((part.digest, 1, after))
        return part

    def put_file(self, path: Path, *, after: Digest | None = None) -> BlobPart:
        return self.put_stream([path.read_bytes()], after=after)

    @property
    def successions(self) -> dict[Digest, Digest]:
        return {digest: after for digest, _, after in self.puts if after is not None}


def large(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).random(LENGTH)


def blob_of(array: np.ndarray[Any, Any]) -> Digest:
    return MemoryBlobs().put(array.data.cast("B"))


def successor(first: Any, second: Any) -> Recorder:
    blobs = Recorder()
    content = save(first, blobs).manifest.digest
    blobs.puts.clear()
    again = save(second, blobs, previous=Previous(lambda: content, blobs)).manifest
    assert again.digest == save(second, MemoryBlobs()).manifest.digest
    return blobs


@pytest.mark.parametrize(
    "wrap",
    [
        lambda array: array,
        lambda array: {"deep": [array, {"unchanged": np.arange(100_000)}]},
        lambda array: pd.DataFrame({"a": range(LENGTH), "b": array}),
        lambda array: [np.arange(500) + index for index in range(300)] + [array],
    ],
    ids=["array", "dict", "frame", "list that is cut into many blobs"],
)
def test_a_large_buffer_succeeds_the_one_in_its_place(wrap: Any) -> None:
    blobs = successor(wrap(large(0)), wrap(large(1)))
    changed = {digest: after for digest, after in blobs.successions.items() if digest != after}
    assert changed == {blob_of(large(1)): blob_of(large(0))}


def test_the_previous_version_is_asked_for_once_and_only_for_a_large_buffer() -> None:
    asked = []

    def content() -> None:
        asked.append(True)

    save({"small": np.arange(1000.0), "text": "x" * 500_000}, MemoryBlobs(), previous=Previous(content, MemoryBlobs()))
    assert asked == []
    save([large(0), large(1)], MemoryBlobs(), previous=Previous(content, MemoryBlobs()))
    assert asked == [True]


def test_a_previous_version_of_another_layout_or_one_that_is_gone_has_nothing_to_offer() -> None:
    assert successor({"a": large(0)}, large(1)).successions == {}
    assert successor(large(0).astype("f4").repeat(2), "text").successions == {}
    blobs = Recorder()
    save(large(0), blobs, previous=Previous(lambda: blob_of(large(5)), blobs))
    content = blobs.put(b"no manifest")
    save(large(0), blobs, previous=Previous(lambda: content, blobs))
    assert blobs.successions == {}


@pytest.mark.parametrize(("dtype", "item_bytes"), [("f8", 8), ("i2", 2), ("c16", 16), ("u1", 1), ("M8[s]", 8)])
def test_a_buffer_says_of_which_size_its_elements_are(dtype: str, item_bytes: int) -> None:
    blobs = Recorder()
    save(np.zeros(100_000, dtype), blobs)
    assert [size for _, size, _ in blobs.puts] == [item_bytes, 1]


def test_a_large_nested_manifest_is_a_blob_that_versions_share() -> None:
    frame = pd.DataFrame(np.arange(15_000.0).reshape(500, 30))
    blobs = MemoryBlobs()
    first, second = (save({"same": frame, "other": other}, blobs).manifest for other in (1, 2))
    assert first.digest != second.digest
    assert [type(part) for part in first.named()] == [ManifestPart]
    assert list(first.named()) == list(second.named())
    loaded: Any = load(Manifest.decode(blobs.read(first.digest)), blobs)
    pd.testing.assert_frame_equal(loaded["same"], frame)


class Holder:
    def __init__(self, arrays: Any) -> None:
        self.arrays = arrays


def test_a_manifest_stays_small_however_much_is_in_it() -> None:
    frame = pd.DataFrame(np.arange(100_000.0).reshape(100, 1000))
    blobs = MemoryBlobs()
    manifest = save(frame, blobs).manifest
    assert len(manifest.encoded) < 192 * 1024
    assert any(isinstance(part, ManifestPart) for part in manifest.named())
    pd.testing.assert_frame_equal(load(manifest, blobs), frame)  # type: ignore[arg-type]
    assert manifest.size_bytes > frame.memory_usage(index=False).sum()
    changed = frame.copy()
    changed[999] += 1
    named = [set(walk(blobs, save(one, blobs).manifest)) for one in (frame, changed)]
    assert len(named[1] - named[0]) == 1


def test_what_is_in_nested_blobs_is_seen_before_anything_runs() -> None:
    blobs = MemoryBlobs()
    plain = [np.arange(900.0) for _ in range(30)]
    for value, expected in (([*plain], False), ([*plain, [Holder(3)]], True)):
        manifest = save({"x": np.zeros(3), "y": value}, blobs).manifest
        assert runs_code(manifest, blobs) is expected
        assert not is_plain(manifest, blobs)


def model(**members: Any) -> Any:
    return {"name": "m", "model": [Holder(members)]}


def large_blobs(value: Any) -> dict[Digest, int]:
    blobs = MemoryBlobs()
    parts = walk(blobs, save(value, blobs).manifest)
    return {part.digest: part.size_bytes for part in parts if isinstance(part, BlobPart)}


def loaded_members(value: Any) -> Any:
    blobs = MemoryBlobs()
    loaded: Any = load(save(value, blobs).manifest, blobs)
    return loaded["model"][0].arrays


ROWS = 20_000
FRAME = pd.DataFrame(
    {
        **{f"f{number}": np.arange(ROWS) * (number + 0.5) for number in range(8)},
        "text": [f"row {number}" for number in range(ROWS)],
        "when": pd.date_range("2020", periods=ROWS, freq="min", tz="UTC"),
    }
)


def test_of_a_frame_inside_a_pickled_object_a_replaced_column_is_the_only_new_large_blob() -> None:
    changed = FRAME.assign(f3=FRAME["f3"] + 1)
    before, after = large_blobs(model(frame=FRAME)), large_blobs(model(frame=changed))
    assert [size for digest, size in after.items() if digest not in before] == [ROWS * 8]
    pd.testing.assert_frame_equal(loaded_members(model(frame=FRAME))["frame"], FRAME)


def test_a_frame_inside_a_pickled_object_is_the_same_however_it_was_put_together() -> None:
    pieces = pd.concat([FRAME[["f0", "f1"]], FRAME.drop(columns=["f0", "f1"])], axis=1)
    assert save(model(frame=pieces), MemoryBlobs()).manifest == save(model(frame=FRAME), MemoryBlobs()).manifest


@pytest.mark.parametrize(
    "array",
    [
        np.arange(40_000.0)[::2],
        np.arange(40_000.0).reshape(200, 200)[:, ::2],
        np.arange(40_000.0).reshape(200, 200).T,
        np.arange(20_000).astype("M8[s]"),
        np.arange(20_000).astype("m8[ms]"),
        np.zeros(5000, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        np.array(["text"] * 5000),
    ],
    ids=["every second", "some columns", "transposed", "moments", "durations", "structure", "texts"],
)
def test_an_array_inside_a_pickled_object_is_a_blob_whatever_its_layout_and_dtype(array: Any) -> None:
    assert list(large_blobs(model(array=array)).values()) == [array.nbytes]
    loaded = loaded_members(model(array=array))["array"]
    np.testing.assert_array_equal(loaded, array)
    assert loaded.dtype == array.dtype
    loaded[:1] = loaded[1:2]


def test_a_slice_of_an_arrow_table_inside_a_pickled_object_does_not_drag_the_table_along() -> None:
    table = pa.table({"a": np.arange(1_000_000), "s": ["x"] * 1_000_000})
    members = loaded_members(model(few=table[5:8], many=table[:10_000], array=table["a"].chunk(0)[3:5]))
    assert members["few"].equals(table[5:8])
    assert members["many"].equals(table[:10_000])
    assert members["array"].equals(table["a"].chunk(0)[3:5])
    assert sum(large_blobs(model(few=table[5:8], array=table["a"].chunk(0)[3:5])).values()) < 10_000


def test_what_was_one_object_is_one_again() -> None:
    array, series = large(0), FRAME["f1"]
    members = loaded_members(model(one=array, other=array, series=series, again=[series]))
    assert members["one"] is members["other"]
    assert members["series"] is members["again"][0]
    assert members["series"].equals(series)


def test_small_arrays_inside_a_pickled_object_stay_in_its_stream() -> None:
    value = model(arrays=[np.arange(10.0)] * 50, frame=FRAME[:10], table=pa.table({"a": [1]}))
    assert large_blobs(value) == {}


def test_a_table_that_leads_back_to_what_holds_it_comes_back() -> None:
    frame = FRAME.copy()
    holder = Holder(frame)
    frame["objects"] = [holder] * ROWS
    loaded: Any = load(save([holder], (blobs := MemoryBlobs())).manifest, blobs)
    assert loaded[0].arrays["objects"][7] is loaded[0]


def test_of_a_forest_that_grew_only_the_new_trees_are_new() -> None:
    images, labels = load_digits(return_X_y=True)
    forest = RandomForestClassifier(20, random_state=0, warm_start=True).fit(images, labels)
    before = large_blobs(forest)
    forest.set_params(n_estimators=25).fit(images, labels)
    after = large_blobs(forest)
    assert len(before) >= 20
    new_bytes = sum(size for digest, size in after.items() if digest not in before)
    assert new_bytes < 0.35 * sum(after.values())
    blobs = MemoryBlobs()
    again: Any = load(save(forest, blobs).manifest, blobs)
    assert (again.predict(images) == forest.predict(images)).all()
