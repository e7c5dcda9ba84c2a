"""Round trips, and what makes two values the same."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import pytest

from lineal.cas import Manifest, MemoryBlobs
from lineal.materializers import load, save

Loaded = tuple[Any, Manifest]


@pytest.fixture(scope="session")
def round_trip() -> Callable[[Any], Loaded]:
    """Save, load from the manifest's bytes, save again: gives what was loaded, and the manifest, which is the same."""

    def round_trip(value: Any) -> Loaded:
        blobs = MemoryBlobs()
        saved = save(value, blobs)
        loaded = load(Manifest.decode(blobs.read(saved.manifest.digest)), blobs)
        assert save(loaded, MemoryBlobs()).manifest.digest == saved.manifest.digest
        return loaded, saved.manifest

    return round_trip


@pytest.fixture(scope="session")
def same() -> Callable[[Any, Any], bool]:
    """Whether two plain values are equal in type, order and bits, all the way down."""
    return are_same


def are_same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack("<d", one) == struct.pack("<d", other)
    if isinstance(one, complex):
        return are_same(one.real, other.real) and are_same(one.imag, other.imag)
    if isinstance(one, dict):
        return are_same(list(one.items()), list(other.items()))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(are_same, one, other))
    if isinstance(one, (set, frozenset)):
        return are_same(_without_order(one), _without_order(other))
    return bool(one == other) or math.isnan(one)


def _without_order(values: set[Any] | frozenset[Any]) -> list[Any]:
    # NaNs can't be found in a set by equality, and 1 is True.
    return sorted(values, key=_place)


def _place(value: Any) -> str:
    """A text that is the same for equal values, however their sets are ordered."""
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__name__}{sorted(map(_place, value))}"
    if isinstance(value, tuple):
        return f"tuple{list(map(_place, value))}"
    return f"{type(value).__name__} {value!r}"
