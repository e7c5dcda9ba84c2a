"""Content ids of what steps give each other: equal for equal values, different wherever causes differ."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lineal.cas import MemoryBlobs
from lineal.materializers import save

PAIR = (1, 2)
LIST = [1]
EQUAL: dict[str, tuple[Any, Any]] = {
    "strides": (np.arange(10)[::2], np.array([0, 2, 4, 6, 8])),
    "a shared tuple": ([PAIR, PAIR], [(1, 2), tuple(iter(PAIR))]),
    "a shared list": ({"a": LIST, "b": LIST}, {"a": [1], "b": [1]}),
    "a shared text": (["a" * 50] * 2, ["".join(["a"] * 50), "".join(["a"] * 50)]),
    "a set of texts": ({"x", "y", "zz"}, {"zz", "y", "x"}),
    "sets in a set": ({frozenset("ab"), frozenset("cd")}, {frozenset("dc"), frozenset("ba")}),
    "NaN": ([float("nan")], [math.nan]),
    "tuples in an array": (np.array([PAIR, PAIR, None], object), np.array([(1, 2), tuple(iter(PAIR)), None], object)),
    "a table cut from another": (pd.DataFrame({"a": [1, 2], "b": [3, 4]})[["a"]], pd.DataFrame({"a": [1, 2]})),
    "a table's blocks": (
        pd.DataFrame(np.ones((2, 2)), columns=["a", "b"]),
        pd.DataFrame({"a": [1.0, 1], "b": [1.0, 1]}),
    ),
    "a table's texts": (pd.DataFrame({"a": ["x", "y"]})[1:].reset_index(drop=True), pd.DataFrame({"a": ["y"]})),
}
DAYS = {zone: pd.Series(pd.date_range("2024", periods=2, tz=zone)) for zone in (None, "UTC", "Europe/Paris")}
DISTINCT: dict[str, tuple[Any, ...]] = {
    "types": (1, True, 1.0, "1", b"1", [1], (1,), np.float64(1), np.int64(1), np.array(1)),
    "frames": (("xby", "z"), ("x", "ybz"), ("xbyz",)),
    "zeros": (0.0, -0.0, 0, np.array([0.0]), np.array([-0.0])),
    "element types": tuple(np.array([1], dtype) for dtype in ("i4", "i8", ">i4", "f4", "f8", "O")),
    "shapes": (np.zeros((2, 0)), np.zeros((0, 2)), np.zeros(0), np.zeros((1, 4)), np.zeros((4, 1)), np.zeros((2, 2))),
    "columns": (
        pd.DataFrame({"a": [1], "b": [2]}),
        pd.DataFrame({"b": [2], "a": [1]}),
        pd.DataFrame({"a": [1], "c": [2]}),
    ),
    "indexes": (
        pd.DataFrame({"a": [1]}),
        pd.DataFrame({"a": [1]}, index=[5]),
        pd.DataFrame({"a": [1]}).rename_axis("i"),
        pd.DataFrame({"a": [1]}).rename_axis("i", axis=1),
    ),
    "categories": (
        pd.Series(pd.Categorical(["a"], ["a", "b"])),
        pd.Series(pd.Categorical(["a"], ["b", "a"])),
        pd.Series(pd.Categorical(["a"], ["a", "b"], ordered=True)),
        pd.Series(["a"]),
    ),
    "time zones": tuple(DAYS.values()),
    "what is missing": (pd.DataFrame({"a": ["x", None]}), pd.DataFrame({"a": ["x", "None"]}), [None], [math.nan]),
}


def content(value: object) -> object:
    return save(value, MemoryBlobs()).manifest.digest


@pytest.mark.parametrize("pair", EQUAL.values(), ids=EQUAL)
def test_equal_content_is_stored_once(pair: tuple[Any, Any]) -> None:
    """Equal values from different processes, hash seeds and sessions get equal content ids."""
    assert content(pair[0]) == content(pair[1])


@pytest.mark.parametrize("values", DISTINCT.values(), ids=DISTINCT)
def test_different_causes_have_different_contents(values: tuple[Any, ...]) -> None:
    """1, True, 1.0, "1", b"1", [1] and (1,) all differ; ("xby", "z") differs from ("x", "ybz")."""
    assert len({content(value) for value in values}) == len(values)
