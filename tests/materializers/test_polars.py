from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from lineal.cas import Manifest, MemoryBlobs
from lineal.cas.blob import walk
from lineal.errors import Invalid, ManifestCorrupt
from lineal.materializers import load, runs_code, save

RoundTrip = Callable[[Any], tuple[Any, Manifest]]


class Holder:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Holder) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)


MOMENT = datetime.datetime(2020, 1, 1, 12)
COLUMNS = [
    pl.Series("int", [1, None, 3]),
    pl.Series("bool", [True, None, False]),
    pl.Series("text", ["a", None, "é"]),
    pl.Series("category", ["b", "a", None], dtype=pl.Categorical),
    pl.Series("enum", ["b", None, "a"], dtype=pl.Enum(["a", "b", "c"])),
    pl.Series("decimal", [Decimal("1.50"), None, Decimal("2")], dtype=pl.Decimal(10, 2)),
    pl.Series("duration", [datetime.timedelta(1), None, datetime.timedelta(2)]),
    pl.Series("time", [datetime.time(1), None, datetime.time(2)]),
    pl.Series("date", [MOMENT.date(), None, MOMENT.date()]),
    pl.Series("zoned", [MOMENT, None, MOMENT]).dt.replace_time_zone("Europe/Berlin"),
    pl.Series("milliseconds", [1, None, 3], dtype=pl.Datetime("ms")),
    pl.Series("list", [[1], None, []]),
    pl.Series("array", [[1, 2], None, [3, 4]], dtype=pl.Array(pl.Int8, 2)),
    pl.Series("structure", [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
    pl.Series("nothing", [None, None, None]),
    pl.Series("binary", [b"x", None, b""]),
    pl.Series("float32", [1.5, None, float("inf")], dtype=pl.Float32),
]


@pytest.mark.parametrize("series", COLUMNS, ids=lambda series: series.name)
def test_a_series_comes_back_without_running_code(round_trip: RoundTrip, series: pl.Series) -> None:
    for value in (series, series[1:], pl.concat([series, series], rechunk=False), series.clear()):
        loaded, manifest = round_trip(value)
        assert (loaded.name, loaded.dtype) == (value.name, value.dtype)
        assert loaded.to_list() == value.to_list()
        assert not runs_code(manifest, MemoryBlobs())


def test_a_frame_comes_back(round_trip: RoundTrip) -> None:
    frame = pl.DataFrame(COLUMNS)
    loaded, manifest = round_trip(frame)
    assert loaded.equals(frame)
    assert loaded.schema == frame.schema
    assert manifest.type == "polars.DataFrame"
    assert round_trip(pl.DataFrame())[0].shape == (0, 0)


@pytest.mark.parametrize(
    ("series", "is_pickled"),
    [
        (pl.Series("wide", [2**100, None], dtype=pl.Int128), True),
        (pl.Series("objects", [{"k"}, None], dtype=pl.Object), False),
        (pl.Series("others", [Holder(1), None], dtype=pl.Object), True),
    ],
    ids=["wide", "objects", "others"],
)
def test_what_arrow_cannot_carry_comes_back_too(series: pl.Series, is_pickled: bool) -> None:
    blobs = MemoryBlobs()
    manifest = save(pl.DataFrame([series]), blobs).manifest
    assert runs_code(manifest, blobs) is is_pickled
    loaded: Any = load(manifest, blobs)
    assert loaded.to_dict(as_series=False) == {series.name: series.to_list()}
    assert loaded.schema == {series.name: series.dtype}


def test_categories_met_elsewhere_are_no_part_of_the_content() -> None:
    first = save(pl.Series("c", ["q", "r"], dtype=pl.Categorical), MemoryBlobs()).manifest.digest
    pl.Series(["x", "y", "z", "r"], dtype=pl.Categorical)
    assert save(pl.Series("c", ["q", "r"], dtype=pl.Categorical), MemoryBlobs()).manifest.digest == first


def blobs_of(value: Any) -> set[Any]:
    blobs = MemoryBlobs()
    return set(walk(blobs, save(value, blobs).manifest))


@pytest.mark.parametrize("wrap", [lambda frame: frame, lambda frame: [Holder(frame)]], ids=["alone", "pickled"])
def test_renaming_a_column_writes_no_new_blob_and_replacing_it_writes_one(wrap: Any) -> None:
    frame = pl.DataFrame({f"c{number}": np.arange(20_000.0) + number for number in range(10)})
    before = blobs_of(wrap(frame))
    assert len(before) == 10
    assert blobs_of(wrap(frame.rename({"c3": "other"}))) == before
    assert len(blobs_of(wrap(frame.with_columns(pl.col("c3") * 2))) - before) == 1


def test_some_columns_and_rows_are_loaded_without_the_others() -> None:
    frame = pl.DataFrame([*COLUMNS, pl.Series("wide", [1, None, 3], dtype=pl.Int128)])
    blobs = MemoryBlobs()
    manifest = save(frame, blobs).manifest
    for start, stop in ((0, 2), (1, 3), (2, 2), (1, 99)):
        loaded: Any = load(manifest, blobs, rows=slice(start, stop))
        assert loaded.equals(frame[start:stop])
    loaded = load(manifest, blobs, columns=["text", "int"], rows=slice(1, 3))
    assert loaded.equals(frame.select("text", "int")[1:3])
    with pytest.raises(Invalid, match="no column 'nope'"):
        load(manifest, blobs, columns=["nope"])


def test_metadata_says_rows_columns_and_dtypes() -> None:
    frame = pl.DataFrame({"a": [1], "b": ["x"]})
    ends = {"memory_bytes": 9, "min": {"a": 1}, "max": {"a": 1}, "mean": {"a": 1.0}}
    expected = {"rows": 1, "columns": 2, "dtypes": {"a": "Int64", "b": "String"}, **ends}
    assert save(frame, MemoryBlobs()).metadata == expected
    assert save(frame["a"], MemoryBlobs()).metadata == {"rows": 1, "dtype": "Int64", "memory_bytes": 8}


def test_a_frame_whose_columns_differ_in_length_is_damaged() -> None:
    blobs = MemoryBlobs()
    parts = dict(save(pl.DataFrame({"a": [1, 2], "b": [3, 4]}), blobs).manifest.parts)
    other = dict(save(pl.DataFrame({"a": [1]}), blobs).manifest.parts)
    damaged = Manifest(
        "polars.DataFrame/1", "polars.DataFrame", None, tuple({**parts, "column.1": other["column.0"]}.items())
    )
    with pytest.raises(ManifestCorrupt, match="length"):
        load(damaged, blobs)


def test_a_nested_name_that_is_no_text_is_a_damaged_manifest() -> None:
    blobs = MemoryBlobs()
    manifest = save(pl.Series("lists", [["x"], []]), blobs).manifest
    damaged = manifest.encoded.replace(b"item", b"it\xffm")
    assert damaged != manifest.encoded
    with pytest.raises(ManifestCorrupt, match="Polars"):
        load(Manifest.decode(damaged), blobs)
