from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import pandas as pdst
from pandas.tests.extension.decimal import DecimalArray

from lineal.cas import Batch, BlobFiles, Digest, Manifest, MemoryBlobs
from lineal.errors import BlobCorrupt, Invalid, ManifestCorrupt
from lineal.materializers import load, runs_code, save

RoundTrip = Callable[[Any], tuple[Any, Manifest]]
ROWS = 5

COLUMNS: dict[str, Any] = {
    "int64": np.arange(ROWS),
    "float32": np.linspace(0, 1, ROWS, dtype="f4"),
    "complex": np.arange(ROWS) * 1j,
    "bool": [True, False, True, False, True],
    "str": pd.array(["a", None, "c", "d", "é"], dtype="str"),
    "object": [1, "x", None, (1, 2), [3]],
    "decimal": [Decimal("1.10")] * ROWS,
    "date": [datetime.date(2020, 1, 1)] * ROWS,
    "text in objects": pd.Series(["a", "b", None, "d", "e"], dtype=object),
    "datetime": pd.date_range("2020", periods=ROWS),
    "seconds": pd.date_range("2020", periods=ROWS).as_unit("s"),
    "zoned": pd.date_range("2020", periods=ROWS, tz="Europe/Berlin"),
    "own zone": pd.date_range("2020", periods=ROWS, tz=datetime.timezone(datetime.timedelta(hours=1), "UTC")),
    "utc": pd.date_range("2020", periods=ROWS, tz="UTC", unit="ns"),
    "timedelta": pd.to_timedelta(range(ROWS), "s"),
    "categorical": pd.Categorical(list("abcab"), categories=list("cab"), ordered=True),
    "missing categories": pd.Categorical(["a", None, "b", "a", None]),
    "cut": pd.cut(range(ROWS), 3),
    "Int64": pd.array([1, None, 3, 4, 5], dtype="Int64"),
    "UInt8": pd.array([1, None, 3, 4, 5], dtype="UInt8"),
    "boolean": pd.array([True, None, False, True, None], dtype="boolean"),
    "Float32": pd.array([1.5, None, 0.0, 2.0, None], dtype="Float32"),
    "period": pd.period_range("2020", periods=ROWS, freq="M"),
    "string of Python": pd.array(["a", "\ud800", "", None, "e"], dtype="string[python]"),
    "string of Arrow": pd.array(["a", "b", "", None, "e"], dtype="string[pyarrow]"),
    "int32 of Arrow": pd.array([1, None, 3, 4, 5], dtype=pd.ArrowDtype(pa.int32())),
    "list of Arrow": pd.array([[1], None, [], [2, 3], [None]], dtype=pd.ArrowDtype(pa.list_(pa.int32()))),
    "pandas scalars": pd.Series(
        [pd.Timestamp("2020", tz="Asia/Tokyo"), pd.NaT, pd.NA, pd.Timedelta(1, "s"), pd.Interval(1, 2)], dtype=object
    ),
}
OFFSET = pd.offsets.CustomBusinessDay(holidays=["2020-01-02"])
INDEXES = {
    "range": pd.RangeIndex(3, 13, 2, name="q"),
    "int8": pd.Index(np.arange(5, dtype="i1"), name=("a", 1)),
    "float": pd.Index([1.5, None, 2, 3, 4]),
    "bool": pd.Index([True, False, True, False, True]),
    "str": pd.Index(list("abcde")),
    "object": pd.Index([1, "a", None, (1,), 2.5], dtype=object),
    "tuples": pd.Index([("a", number) for number in range(5)], tupleize_cols=False),
    "multi": pd.MultiIndex.from_arrays([list("aabbc"), range(5)], names=["x", None]),
    "multi with an unused level": pd.MultiIndex.from_product([["z", "a"], range(4)])[:5],
    "daily": pd.date_range("2020", periods=5, freq="D", tz="Europe/Berlin", name="t"),
    "business days": pd.date_range("2020", periods=5, freq="B"),
    "unordered datetime": pd.DatetimeIndex(["2020", "2019", "2021", "2019", "NaT"]),
    "timedelta": pd.timedelta_range("1s", periods=5, freq="s"),
    "period": pd.period_range("2020", periods=5, freq="Q"),
    "interval": pd.IntervalIndex.from_breaks(range(6), closed="left"),
    "categorical": pd.CategoricalIndex(list("aabca")),
    "Int64": pd.Index(pd.array([1, None, 3, 4, 5], dtype="Int64")),
}


def is_plain(index: Any) -> bool:
    return not isinstance(index, pd.MultiIndex)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_keeps_its_dtype_and_values_without_pickle(round_trip: RoundTrip, name: str) -> None:
    frame = pd.DataFrame({"before": range(ROWS), name: COLUMNS[name]})
    loaded, manifest = round_trip(frame)
    pd.testing.assert_frame_equal(loaded, frame)
    assert list(loaded.dtypes) == list(frame.dtypes)
    assert [type(one) for one in loaded[name]] == [type(one) for one in frame[name]]
    assert not runs_code(manifest, MemoryBlobs())
    array = frame[name].array
    again, _ = round_trip(array)
    assert type(again) is type(array)
    pd.testing.assert_series_equal(pd.Series(again), pd.Series(array))


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_keeps_its_class_names_and_frequency(round_trip: RoundTrip, name: str) -> None:
    index = INDEXES[name]
    loaded, manifest = round_trip(index)
    assert type(loaded) is type(index)
    assert (loaded.dtype, list(loaded.names)) == (index.dtype, list(index.names))
    assert getattr(loaded, "freq", None) == getattr(index, "freq", None)
    pd.testing.assert_index_equal(loaded, index, exact=True)
    assert not runs_code(manifest, MemoryBlobs())
    for labelled in (pd.Series(range(5), index=index, name="n"), pd.DataFrame(np.zeros((2, 5)), columns=index)):
        again, _ = round_trip(labelled)
        check: Any = pd.testing.assert_series_equal if labelled.ndim == 1 else pd.testing.assert_frame_equal
        check(again, labelled, check_freq=True)


def test_a_multi_index_keeps_its_levels_used_or_not(round_trip: RoundTrip) -> None:
    index: Any = INDEXES["multi with an unused level"]
    loaded, _ = round_trip(index)
    assert [list(level) for level in loaded.levels] == [list(level) for level in index.levels]


def test_a_frequency_that_no_text_tells_comes_back() -> None:
    index = pd.date_range("2020", periods=4, freq=OFFSET)
    blobs = MemoryBlobs()
    loaded: Any = load(save(index, blobs).manifest, blobs)
    assert loaded.freq == OFFSET
    pd.testing.assert_index_equal(loaded, index)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=[1, 2]),
        pd.DataFrame(columns=["a"]),
        pd.DataFrame([[1, 2.5]], columns=["a", "a"]),
        pd.DataFrame({1: [1], "a": ["x"], None: [3], ("t", 1): [4]}),
        pd.DataFrame(np.random.default_rng(0).random((4, 3))),
        pd.DataFrame(np.random.default_rng(0).random((4, 6)))[[5, 0, 2]].iloc[::2],
        pd.DataFrame({"a": ["x", "y"] * 3}).iloc[4:],
    ],
    ids=["empty", "rows", "columns", "twice", "labels", "block", "view", "slice"],
)
def test_a_frame_of_odd_shape_or_labels_comes_back(round_trip: RoundTrip, frame: Any) -> None:
    loaded, _ = round_trip(frame)
    assert (loaded.shape, list(loaded.columns)) == (frame.shape, list(frame.columns))
    pd.testing.assert_frame_equal(loaded, frame, check_column_type=True)


@settings(deadline=None, max_examples=examples(60))
@given(
    pdst.data_frames(
        [
            pdst.column("i", dtype="i8"),
            pdst.column("f", dtype="f8"),
            pdst.column("b", dtype=bool),
            pdst.column("d", dtype="M8[ns]"),
            pdst.column("o", elements=st.none() | st.text() | st.integers() | st.tuples(st.floats()), dtype=object),
        ],
        index=pdst.range_indexes() | pdst.indexes(dtype="f8") | pdst.indexes(elements=st.text(), dtype=object),
    )
)
def test_any_frame_comes_back(round_trip: RoundTrip, frame: Any) -> None:
    loaded, manifest = round_trip(frame)
    pd.testing.assert_frame_equal(loaded, frame)
    assert not runs_code(manifest, MemoryBlobs())


def test_attributes_and_flags_are_kept(round_trip: RoundTrip) -> None:
    frame = pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False)
    frame.attrs = {"unit": "m", "shape": (1, 1)}
    series = frame["a"]
    series.attrs = {"of": 3}
    for one in (frame, series):
        loaded, _ = round_trip(one)
        assert loaded.attrs == one.attrs
        assert not loaded.flags.allows_duplicate_labels


def test_a_subclass_of_a_frame_is_not_flattened() -> None:
    blobs = MemoryBlobs()
    loaded: Any = load(save(Tagged({"a": [1]}), blobs).manifest, blobs)
    assert type(loaded) is Tagged


class Tagged(pd.DataFrame):
    """A frame with more to it."""


def test_an_array_of_another_library_is_pickled_alone() -> None:
    frame = pd.DataFrame({"a": [1, 2], "decimals": DecimalArray([Decimal(1), Decimal("2.5")])})
    blobs = MemoryBlobs()
    manifest = save(frame, blobs).manifest
    pickled = [name for name, part in manifest.parts if isinstance(part, Manifest) and runs_code(part, MemoryBlobs())]
    assert pickled == ["column.1"]
    loaded: Any = load(manifest, blobs)
    assert type(loaded["decimals"].array) is DecimalArray
    assert loaded["decimals"].tolist() == frame["decimals"].tolist()


@pytest.mark.parametrize(
    "scalar",
    [
        pd.Timestamp("2020-01-01"),
        pd.Timestamp("2020-01-01").as_unit("s"),
        pd.Timestamp("2020-10-25 00:30", tz="UTC").tz_convert("Europe/Berlin"),
        pd.Timestamp("2020-10-25 01:30", tz="UTC").tz_convert("Europe/Berlin"),
        pd.Timestamp("2020", tz=datetime.timezone(datetime.timedelta(minutes=90))),
        pd.Timestamp(1, unit="ns"),
        pd.Timedelta(5, "s"),
        pd.Timedelta(1, "ns"),
        pd.Period("2020", "M"),
        pd.Interval(pd.Timestamp("2020"), pd.Timestamp("2021"), "both"),
        pd.NaT,
        pd.NA,
    ],
    ids=repr,
)
def test_a_scalar_keeps_type_unit_and_zone(round_trip: RoundTrip, scalar: Any) -> None:
    for loaded, manifest in (round_trip(scalar), round_trip({"a": (scalar,)})):
        one = loaded["a"][0] if isinstance(loaded, dict) else loaded
        assert type(one) is type(scalar)
        assert one is scalar or one == scalar
        for name in ("unit", "tz", "fold", "freqstr", "closed"):
            assert getattr(one, name, None) == getattr(scalar, name, None)
        assert manifest.parts == ()


def large_frame() -> pd.DataFrame:
    rows = 200_000
    columns = {f"f{number}": np.random.default_rng(number).random(rows) for number in range(4)}
    return pd.DataFrame(columns | {"i": np.arange(rows), "s": [f"v{number % 7}" for number in range(rows)]})


def test_a_replaced_column_is_the_only_new_blob() -> None:
    frame = large_frame()
    changed = frame.assign(f2=frame["f2"] + 1)
    blobs = MemoryBlobs()
    before = {blob.digest for blob in save(frame, blobs).manifest.named()}
    after = {blob.digest for blob in save(changed, blobs).manifest.named()}
    # A column of texts has their lengths and their bytes.
    assert len(before) == len(frame.columns) + 1
    assert len(after - before) == 1


def test_the_columns_of_one_block_are_loaded_in_place_and_can_be_written_alone(tmp_path: Path) -> None:
    files = BlobFiles(tmp_path)
    files.create()
    frame = pd.DataFrame(np.random.default_rng(0).random((200_000, 3)), columns=list("abc"))
    with Batch(files) as batch:
        manifest = save(frame, batch).manifest
        batch.publish()
    loaded: Any = load(manifest, files)
    other: Any = load(manifest, files)
    columns = [loaded[label].to_numpy() for label in loaded]
    assert all(column.base is not None and column.flags.c_contiguous for column in columns)
    loaded.loc[0, "a"] = -1
    loaded["b"].array[0] = -1
    assert other.loc[0, "a"] == frame.loc[0, "a"]
    pd.testing.assert_frame_equal(load(manifest, files), frame)
    for blob in manifest.named():
        files.verify(blob.digest, blob.size_bytes)


def test_what_lies_under_a_missing_value_is_no_part_of_the_content() -> None:
    mask = np.array([False, True])
    arrays = [pd.arrays.IntegerArray(np.array([1, hidden]), mask.copy()) for hidden in (0, 7)]
    one, other = (save(array, MemoryBlobs()).manifest.digest for array in arrays)
    assert one == other


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("index", pd.RangeIndex(3)),
        ("columns", pd.Index(["a"])),
        ("column.0", np.zeros((2, 2))),
        ("column.0", np.zeros(5)),
        ("column.1", [1, 2]),
        ("index", None),
    ],
)
def test_parts_that_do_not_fit_each_other_are_a_damaged_manifest(part: str, value: Any) -> None:
    blobs = MemoryBlobs()
    manifest = save(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), blobs).manifest
    other = save(value, blobs).manifest
    parts = tuple((name, other if name == part else one) for name, one in manifest.parts)
    with pytest.raises((ManifestCorrupt, BlobCorrupt)):
        load(Manifest(manifest.format, manifest.type, manifest.head, parts), blobs)


def test_metadata_says_rows_columns_and_dtypes() -> None:
    frame = pd.DataFrame({"a": [1, 2], 3: [True, False]})
    metadata = save(frame, MemoryBlobs()).metadata
    assert metadata.pop("memory_bytes") > 18
    ends = {"min": {"a": 1}, "max": {"a": 2}, "mean": {"a": 1.5}}
    assert metadata == {"rows": 2, "columns": 2, "dtypes": {"a": "int64", "3": "bool"}, **ends}
    series = save(frame["a"], MemoryBlobs()).metadata
    assert series.pop("memory_bytes") > 16
    assert series == {"rows": 2, "dtype": "int64", "min": 1, "max": 2, "mean": 1.5}


def test_some_columns_and_rows_are_loaded_without_the_others() -> None:
    frame = pd.DataFrame(COLUMNS, index=INDEXES["multi"])
    frame.attrs = {"unit": "m"}
    blobs = MemoryBlobs()
    manifest = save(frame, blobs).manifest
    for rows in (slice(1, 3), slice(None, -2), slice(4, 2), slice(2, None)):
        loaded: Any = load(manifest, blobs, rows=rows)
        pd.testing.assert_frame_equal(loaded, frame[rows])
        assert loaded.attrs == frame.attrs
    wanted = ["zoned", "int64", "str"]
    pd.testing.assert_frame_equal(load(manifest, blobs, columns=wanted), frame[wanted])  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(load(manifest, blobs, columns=wanted, rows=slice(1, 3)), frame[wanted][1:3])  # type: ignore[arg-type]
    for bad in (["nope"], ["int64", 3], [("zoned",)]):
        with pytest.raises(Invalid, match="no column"):
            load(manifest, blobs, columns=bad)
    for wrong in ("zoned", [["zoned"]]):
        with pytest.raises(Invalid, match="list of their labels"):
            load(manifest, blobs, columns=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("index", INDEXES.values(), ids=list(INDEXES))
def test_some_rows_of_a_series_come_with_their_part_of_the_index(index: Any) -> None:
    series = pd.Series(range(ROWS), index=index)
    blobs = MemoryBlobs()
    manifest = save(series, blobs).manifest
    pd.testing.assert_series_equal(load(manifest, blobs, rows=slice(1, 4)), series.iloc[1:4])  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="no columns"):
        load(manifest, blobs, columns=["x"])


def test_columns_are_selected_by_labels_of_any_kind_and_all_that_have_one() -> None:
    labels = pd.MultiIndex.from_tuples([("a", 1), ("b", 1), ("a", 2), ("a", 1)])
    frame = pd.DataFrame(np.arange(8.0).reshape(2, 4), columns=labels)
    blobs = MemoryBlobs()
    loaded: Any = load(save(frame, blobs).manifest, blobs, columns=[("a", 1), ("b", 1)])
    assert loaded.equals(frame.iloc[:, [0, 3, 1]])
    assert load(save(frame, blobs).manifest, blobs, columns=["a"]).equals(frame.iloc[:, [0, 2, 3]])  # type: ignore[attr-defined]


def test_only_the_pages_that_were_asked_for_are_looked_at() -> None:
    rows = 300_000
    frame = pd.DataFrame({"a": np.arange(rows), "b": pd.array(np.arange(rows), dtype="Int64"), "c": ["x"] * rows})
    blobs = Asked()
    manifest = save(frame, blobs).manifest
    load(manifest, blobs, columns=["b"], rows=slice(10, 20))
    assert blobs.asked == [(rows * 8, 80, 160), (rows, 10, 20)]


class Asked(MemoryBlobs):
    """Blobs in memory that note what was looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, int, int | None]] = []

    def view(self, digest: Digest, size_bytes: int, start: int = 0, stop: int | None = None) -> memoryview:
        self.asked.append((size_bytes, start, stop))
        return super().view(digest, size_bytes, start, stop)


@pytest.mark.parametrize("kind", ["integer", "block"])
@pytest.mark.parametrize("fill", [0, 7])
def test_a_sparse_array_comes_back(round_trip: RoundTrip, kind: str, fill: int) -> None:
    value = pd.arrays.SparseArray([0, 7, 7, 0, 1], fill_value=fill, kind=kind)
    loaded, manifest = round_trip(pd.DataFrame({"s": value, "f": pd.arrays.SparseArray([np.nan, 1.0, np.nan, 2, 3])}))
    assert loaded["s"].dtype == value.dtype
    assert loaded["s"].array.kind == kind
    np.testing.assert_array_equal(loaded["s"].to_numpy(), [0, 7, 7, 0, 1])
    assert loaded["f"].isna().sum() == 2
    assert not runs_code(manifest, MemoryBlobs())
