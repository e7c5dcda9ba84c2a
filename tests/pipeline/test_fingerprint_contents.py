"""Content ids of what steps give each other: equal for equal values, different wherever causes differ."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lineal.cas import MemoryBlobs
from lineal.materializers import load, save


@dataclass
class Point:
    """Two of anything."""

    x: Any
    y: Any


PAIR = (1, 2)
LIST = [1]
EQUAL: dict[str, tuple[Any, Any]] = {
    "strides": (np.arange(10)[::2], np.array([0, 2, 4, 6, 8])),
    "a shared tuple": ([PAIR, PAIR], [(1, 2), tuple(iter(PAIR))]),
    "a shared list": ({"a": LIST, "b": LIST}, {"a": [1], "b": [1]}),
    "a shared tuple in a dataclass": (Point(PAIR, PAIR), Point((1, 2), tuple(iter(PAIR)))),
    "nested dataclasses": (
        Point(Point(PAIR, [PAIR]), {"a": {"x", "y"}}),
        Point(Point(tuple(iter(PAIR)), [(1, 2)]), {"a": {"y", "x"}}),
    ),
    "dataclasses in a list": ([Point(PAIR, 1), Point(PAIR, 2)], [Point((1, 2), 1), Point(tuple(iter(PAIR)), 2)]),
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
    "dataclasses": (Point(1, 2), Point(1, 2.0), Point(1, True), Point(1, 1), Point(2, 1), Point(Point(1, 2), 1)),
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


PROGRAM = """
import dataclasses, sys
from lineal.cas import MemoryBlobs
from lineal.materializers import save, load

@dataclasses.dataclass
class Inner:
    names: set
    pair: tuple

@dataclasses.dataclass(frozen=True)
class Outer:
    inner: Inner
    by_name: dict
    more: list

sys.modules["places"] = module = type(sys)("places")
for kind in (Inner, Outer):
    kind.__module__ = "places"
    setattr(module, kind.__name__, kind)
words = {"alpha", "beta", "gamma", "delta"}
value = Outer(Inner(words, (1, 2)), {"a": frozenset(words)}, [Inner({"x", "y", "z"}, ("t",)), None])
blobs = MemoryBlobs()
manifest = save(value, blobs).manifest
assert load(manifest, blobs, allow_pickle=True) == value
print(manifest.digest)
"""


def test_a_nested_dataclass_has_the_same_content_under_every_hash_seed() -> None:
    """Equal values from different processes, hash seeds and sessions get equal content ids."""
    found = set()
    for seed in ("0", "1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        result = subprocess.run([sys.executable, "-P", "-c", PROGRAM], env=environment, capture_output=True, check=True)
        found.add(result.stdout)
    assert len(found) == 1


def test_dataclasses_that_share_a_list_share_it_when_they_are_loaded() -> None:
    shared: list[int] = []
    blobs = MemoryBlobs()
    ring = Point(1, 2)
    ring.x = ring
    one, two, alone, again = load(
        save([Point(shared, 1), Point(2, shared), Point([], 1), ring], blobs).manifest, blobs, allow_pickle=True
    )
    assert one.x is two.y
    assert alone.x is not one.x
    assert again.x is again
