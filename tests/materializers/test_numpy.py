from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lineal import Client
from lineal.cas import Batch, BlobFiles, Digest, Manifest, MemoryBlobs
from lineal.errors import BlobCorrupt, Invalid, ManifestCorrupt
from lineal.materializers import load, runs_code, save

RoundTrip = Callable[[Any], tuple[Any, Manifest]]
MIB = 1024 * 1024

ALIGNED = np.dtype([("a", "i1"), ("b", "f8"), ("c", [("x", "u1"), ("y", "g")], (2,))], align=True)
APART = np.dtype({"names": ["a", "b"], "formats": ["i4", ">f8"], "offsets": [8, 0], "itemsize": 20})
ALIGNED_PAIR = np.dtype([("a", "i4"), ("b", "i8")], align=True)
UNTITLED = npst.array_dtypes().filter(lambda dtype: len(dtype.fields or ()) == len(dtype.names or ()))
CUBE = np.arange(24.0).reshape(2, 3, 4)
READ_ONLY = np.arange(5)
READ_ONLY.flags.writeable = False

ARRAYS = {
    "C": CUBE,
    "F": CUBE.T,
    "strided": CUBE[:, ::2],
    "reversed": CUBE[::-1],
    "permuted": CUBE.transpose(1, 0, 2),
    "broadcast": np.broadcast_to(np.float32(1), (3, 3)),
    "read-only": READ_ONLY,
    "scalar": np.array(3.0),
    "no rows": np.zeros((0, 5)),
    "no width": np.zeros(3, "V0"),
    "big-endian": np.arange(3, dtype=">i4"),
    "bool": np.array([True, False]),
    "half": np.array([1], "f2"),
    "long": np.array([1 / 3], "g"),
    "complex": np.array([1 + 2j]),
    "text": np.array(["a", "béd", ""]),
    "bytes": np.array([b"a", b"bc"]),
    "void": np.zeros(3, "V5"),
    "datetime": np.array(["2020-01-01", "NaT"], "M8[ns]"),
    "timedelta": np.array([1, 2], "m8[25s]"),
    "no unit": np.array([1], "m8"),
    "structure": np.zeros((2, 2), ALIGNED),
    "gaps": np.zeros(3, APART),
    "subarray": np.zeros(2, [("m", "f4", (2, 3))]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_with_its_dtype_shape_and_order_and_can_be_written(
    round_trip: RoundTrip, name: str
) -> None:
    array = ARRAYS[name]
    loaded, manifest = round_trip(array)
    assert manifest.format == "numpy.ndarray/1"
    assert not runs_code(manifest, MemoryBlobs())
    assert (type(loaded), loaded.dtype, loaded.shape) == (np.ndarray, array.dtype, array.shape)
    assert loaded.dtype.isalignedstruct == array.dtype.isalignedstruct
    np.testing.assert_array_equal(loaded, array)
    assert loaded.flags.writeable
    is_fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    assert loaded.flags.f_contiguous if is_fortran else loaded.flags.c_contiguous


@settings(deadline=None, max_examples=examples(150))
@given(npst.arrays(npst.scalar_dtypes() | UNTITLED, npst.array_shapes(min_side=0, max_side=4)))
def test_any_array_of_plain_values_comes_back(round_trip: RoundTrip, array: Any) -> None:
    loaded, manifest = round_trip(array)
    assert loaded.dtype == array.dtype
    assert loaded.tobytes() == array.tobytes()
    assert not runs_code(manifest, MemoryBlobs())


@pytest.mark.parametrize(
    "array",
    [
        np.array([1, "a", None, (1,), np.nan, np.arange(3)], object),
        np.array([[1, 2], [3, None]], object).T,
        np.empty((0, 2), object),
        np.fromiter([[1], [2, 3]], object),
    ],
    ids=["mixed", "F", "empty", "lists"],
)
def test_an_array_of_objects_comes_back_without_pickle(round_trip: RoundTrip, array: Any) -> None:
    loaded, manifest = round_trip(array)
    assert (loaded.dtype, loaded.shape, repr(loaded)) == (array.dtype, array.shape, repr(array))
    assert [type(one) for one in loaded.flat] == [type(one) for one in array.flat]
    assert not runs_code(manifest, MemoryBlobs())


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "long enough not to be in place" * 3], np.dtypes.StringDType()),
        np.array([(1, "x")], [("i", "i4"), ("o", object)]),
        np.zeros(3, np.dtype("f8", metadata={"unit": "m"})),
        np.rec.array([(1, 2.0), (3, 4.0)]).view(np.ndarray),
    ],
    ids=["strings", "objects in a structure", "metadata", "records"],
)
def test_an_array_of_a_dtype_that_has_no_description_is_pickled(array: Any) -> None:
    blobs = MemoryBlobs()
    manifest = save(array, blobs).manifest
    loaded: Any = load(manifest, blobs)
    assert runs_code(manifest, MemoryBlobs())
    assert (loaded.dtype, loaded.dtype.metadata, loaded.dtype.type) == (
        array.dtype,
        array.dtype.metadata,
        array.dtype.type,
    )
    np.testing.assert_array_equal(loaded, array)


@pytest.mark.parametrize(
    "scalar",
    [
        *(np.dtype(code).type(1) for code in "?bhilBHILefdgFDG"),
        np.str_("a\0"),
        np.bytes_(b"a\0"),
        np.str_(""),
        np.void(b"abc"),
        np.zeros(1, ALIGNED)[0],
        np.datetime64("2020-01-01T00:00", "m"),
        np.datetime64("NaT"),
        np.timedelta64(5, "s"),
        np.timedelta64(5),
    ],
    ids=lambda scalar: type(scalar).__name__,
)
def test_a_scalar_keeps_its_exact_type_alone_and_in_a_container(round_trip: RoundTrip, scalar: Any) -> None:
    for loaded, manifest in (round_trip(scalar), round_trip([scalar])):
        one = loaded[0] if isinstance(loaded, list) else loaded
        assert type(one) is type(scalar)
        assert one.dtype == scalar.dtype
        assert one.tobytes() == scalar.tobytes() or scalar.dtype.char in "gGV"
        assert one == scalar or np.isnat(scalar)
        assert manifest.parts == ()


def test_bytes_between_the_values_are_no_part_of_an_array() -> None:
    noisy = np.frombuffer(np.random.default_rng(0).bytes(16 * 4), "u1").copy().view(ALIGNED_PAIR)
    clean = np.zeros(4, ALIGNED_PAIR)
    for name in ("a", "b"):
        clean[name] = noisy[name]
    assert noisy.tobytes() != clean.tobytes()
    assert content(noisy) == content(clean)
    long = np.array([1, 2], "g")
    noise = long.copy()
    noise.view("u1").reshape(2, 16)[:, 10:] = 7
    assert content(long) == content(noise)


def test_a_mapped_array_is_saved_as_the_array_it_is(tmp_path: Path, round_trip: RoundTrip) -> None:
    mapped = np.memmap(tmp_path / "x", "i4", "w+", shape=(3,))
    mapped[:] = [1, 2, 3]
    loaded, manifest = round_trip(mapped)
    assert type(loaded) is np.ndarray
    assert manifest.digest != content(np.array([1, 2, 4], "i4"))
    np.testing.assert_array_equal(loaded, [1, 2, 3])


def test_a_masked_array_is_not_flattened() -> None:
    masked = np.ma.masked_array([1, 2], [False, True])
    blobs = MemoryBlobs()
    loaded: Any = load(save([masked], blobs).manifest, blobs)
    assert type(loaded[0]) is np.ma.MaskedArray
    assert loaded[0].mask.tolist() == [False, True]


class Watched:
    """A blob reader that keeps the views it gives out."""

    def __init__(self, files: BlobFiles) -> None:
        self._files = files
        self.views: list[memoryview] = []

    def read(self, digest: Digest) -> bytes:
        return self._files.read(digest)

    def view(self, digest: Digest, size_bytes: int, start: int = 0, stop: int | None = None) -> memoryview:
        self.views.append(self._files.view(digest, size_bytes, start, stop))
        return self.views[-1]


def saved_in_files(root: Path, value: Any) -> tuple[Manifest, BlobFiles]:
    files = BlobFiles(root)
    files.create()
    with Batch(files) as batch:
        manifest = save(value, batch).manifest
        batch.publish()
    return manifest, files


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f8", "M8[ns]", "c16", "V8"])
def test_a_large_array_is_copied_neither_on_the_way_in_nor_on_the_way_out(
    tmp_path: Path, order: Any, dtype: str
) -> None:
    array = np.ones((1024, 64 * MIB // 1024 // np.dtype(dtype).itemsize), "V8" if dtype == "V8" else "i8")
    array = np.asarray(array if dtype == "V8" else array.astype(dtype), order=order)
    tracemalloc.start()
    try:
        manifest, files = saved_in_files(tmp_path, array)
        reader = Watched(files)
        loaded: Any = load(manifest, reader)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < MIB
    (view,) = reader.views
    assert np.shares_memory(loaded, np.frombuffer(view, "u1"))
    assert loaded.tobytes("A") == array.tobytes("A")


def test_writing_to_a_loaded_array_changes_neither_the_blob_nor_another_load(tmp_path: Path) -> None:
    manifest, files = saved_in_files(tmp_path, np.zeros(MIB))
    one: Any = load(manifest, files)
    other: Any = load(manifest, files)
    one[:] = 1
    assert other.sum() == 0
    (blob,) = manifest.named()
    files.verify(blob.digest, blob.size_bytes)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [5]},
        {"shape": [2**62, 2**62]},
        {"shape": [-1]},
        {"shape": [True]},
        {"shape": "ab"},
        {"shape": [1] * 65},
        {"order": "A"},
        {"dtype": "<f4"},
        {"dtype": "|O"},
        {"dtype": "O"},
        {"dtype": "object"},
        {"dtype": {"base": "<f8"}},
        {"dtype": {"names": ["a"], "formats": ["|O"], "offsets": [0], "itemsize": 8, "aligned": False}},
        {"dtype": None},
    ],
    ids=repr,
)
def test_a_head_that_does_not_fit_the_bytes_is_found_before_they_are_used(change: dict[str, Any]) -> None:
    blobs = MemoryBlobs()
    manifest = save(np.arange(4.0), blobs).manifest
    assert isinstance(manifest.head, dict)
    damaged = Manifest(manifest.format, manifest.type, {**manifest.head, **change}, manifest.parts)
    with pytest.raises((ManifestCorrupt, BlobCorrupt)):
        load(damaged, blobs)


@settings(deadline=None, max_examples=examples(50))
@given(st.lists(st.integers(0, 255), min_size=1), st.sampled_from(["C", "F"]))
def test_equal_arrays_are_equal_content_however_they_lie_in_memory(numbers: list[int], order: Any) -> None:
    array = np.array([numbers, numbers])
    wide = np.repeat(array, 3, axis=1)[:, ::3]
    assert content(np.array(wide, order="C")) == content(wide)
    assert content(np.asarray(array, order=order)) == content(np.array(array, order=order))


def test_metadata_says_shape_and_dtype() -> None:
    expected = {"shape": [2, 3, 4], "dtype": "float64", "min": 0.0, "max": 23.0, "mean": 11.5}
    assert save(CUBE, MemoryBlobs()).metadata == expected


def content(value: Any) -> Digest:
    return save(value, MemoryBlobs()).manifest.digest


@pytest.mark.parametrize("rows", [slice(2, 5), slice(-3, None), slice(None, 2), slice(5, 3), slice(90, 99)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_some_rows_of_an_array_are_loaded(rows: slice, order: Any) -> None:
    array = np.asarray(np.arange(120.0).reshape(10, 4, 3), order=order)
    objects = np.array([{"k": 1}, None, "x"] * 4, object)
    for value in (array, array[:, 0, 0], array.astype("i1,f8"), objects, np.zeros((10, 0))):
        blobs = MemoryBlobs()
        loaded: Any = load(save(value, blobs).manifest, blobs, rows=rows)
        np.testing.assert_array_equal(loaded, value[rows])
        assert loaded.flags.writeable


def test_what_has_no_rows_or_columns_says_so() -> None:
    blobs = MemoryBlobs()
    for value, selection in (
        (np.array(1.0), {"rows": slice(1)}),
        (np.arange(3), {"columns": ["a"]}),
        ({"a": 1}, {"rows": slice(1)}),
        (np.arange(3), {"rows": slice(0, 2, 2)}),
    ):
        with pytest.raises(Invalid) as caught:
            load(save(value, blobs).manifest, blobs, **selection)
        assert caught.value.hint is not None


def test_elements_of_sixteen_bytes_are_aligned_wherever_their_bytes_are_mapped(client: Client) -> None:
    array = np.random.default_rng(0).random(400_000).astype(np.longdouble)
    client.save(np.frombuffer(b"a header" + array.tobytes(), np.uint8), "shifted")
    client.save(array, "shifted")
    client.flush()
    loaded = client.load("shifted")
    assert loaded.flags.aligned
    assert (loaded == array).all()


@pytest.mark.parametrize(
    "value",
    [
        np.ma.MaskedArray([1.5, 2.0, np.nan], [True, False, True], fill_value=-1, hard_mask=True),
        np.ma.MaskedArray(np.arange(6).reshape(2, 3).T),
        np.ma.MaskedArray([("a", 1)], [(True, False)], dtype=[("s", "U1"), ("i", "i4")]),
        np.ma.MaskedArray(["x", None], [False, True], dtype=object),
    ],
    ids=["masked", "nothing masked", "structured", "objects"],
)
def test_a_masked_array_comes_back(round_trip: RoundTrip, value: Any) -> None:
    loaded, manifest = round_trip(value)
    assert (type(loaded), loaded.dtype, loaded.hardmask) == (type(value), value.dtype, value.hardmask)
    np.testing.assert_array_equal(loaded.data, value.data)
    np.testing.assert_array_equal(loaded.mask, value.mask)
    assert (loaded.mask is np.ma.nomask) == (value.mask is np.ma.nomask)
    assert repr(loaded.fill_value) == repr(value.fill_value)
    assert not runs_code(manifest, MemoryBlobs())


def test_a_record_array_comes_back(round_trip: RoundTrip) -> None:
    value = np.rec.array([(1, 2.5), (3, 4.5)], dtype=[("a", "i4"), ("b", "f8")])
    loaded, manifest = round_trip(value)
    assert (type(loaded), loaded.dtype) == (type(value), value.dtype)
    np.testing.assert_array_equal(loaded.b, value.b)
    assert not runs_code(manifest, MemoryBlobs())
