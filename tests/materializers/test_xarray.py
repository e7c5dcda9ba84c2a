from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lineal.cas import Manifest, MemoryBlobs
from lineal.materializers import runs_code, save

RoundTrip = Callable[[Any], tuple[Any, Manifest]]
TIMES = pd.date_range("2020", periods=3)
PLAIN = xr.Dataset(
    {"heat": (("time", "x"), np.arange(6.0).reshape(3, 2), {"unit": "K"}), "count": 3, 5: ("x", ["a", "b"])},
    coords={"time": TIMES, "x": [10, 20], "label": ("x", ["l", "r"]), "base": 1.5},
    attrs={"source": {"made", "up"}},
)
LEVELS = xr.Dataset(
    {"v": ("pair", np.arange(4))},
    coords=xr.Coordinates.from_pandas_multiindex(
        pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["one", "two"]), "pair"
    ),
)


@pytest.mark.parametrize(
    "value",
    [
        PLAIN,
        LEVELS,
        xr.Dataset(),
        PLAIN.drop_indexes("x"),
        PLAIN.transpose("x", "time"),
        xr.Dataset({"c": ("x", pd.Categorical(["a", "b", "a"]))}),
    ],
    ids=["plain", "levels", "empty", "without an index", "transposed", "categorical"],
)
def test_a_dataset_comes_back(round_trip: RoundTrip, value: xr.Dataset) -> None:
    loaded, manifest = round_trip(value)
    assert type(loaded) is xr.Dataset
    assert loaded.identical(value)
    assert set(loaded.variables) == set(value.variables)
    assert {name: type(index) for name, index in loaded.xindexes.items()} == {
        name: type(index) for name, index in value.xindexes.items()
    }
    assert {name: one.dtype for name, one in loaded.variables.items()} == {
        name: one.dtype for name, one in value.variables.items()
    }
    assert not runs_code(manifest, MemoryBlobs())


@pytest.mark.parametrize("value", [PLAIN["heat"], LEVELS["v"], xr.DataArray(3), PLAIN["heat"].isel(time=0)])
def test_an_array_comes_back(round_trip: RoundTrip, value: xr.DataArray) -> None:
    loaded, manifest = round_trip(value)
    assert type(loaded) is xr.DataArray
    assert loaded.identical(value)
    assert loaded.name == value.name
    assert not runs_code(manifest, MemoryBlobs())


def test_a_large_variable_is_a_blob_of_its_own() -> None:
    value = xr.Dataset({"a": ("x", np.arange(10_000.0)), "b": ("x", np.arange(10_000) + 1)})
    assert [blob.size_bytes for blob in save(value, MemoryBlobs()).manifest.named()] == [80_000, 80_000]
    assert save(value, MemoryBlobs()).metadata == {
        "variables": ["a", "b"],
        "sizes": {"x": 10_000},
        "memory_bytes": 160_000,
    }
