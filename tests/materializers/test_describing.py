"""Describing: metadata is plain, bounded and soft: a value is saved whatever its materializer says of it."""

from __future__ import annotations

import enum
from typing import Any, ClassVar

import numpy as np
import pytest

from lineal.cas import MemoryBlobs
from lineal.materializers import Materializer, PartReader, PartWriter, save
from lineal.materializers.describing import METADATA_MAX_BYTES


class Described(Materializer[Any]):
    format: ClassVar[str] = "test.described/1"
    types = ()

    def __init__(self, metadata: Any) -> None:
        self._metadata = metadata

    def save(self, value: Any, parts: PartWriter) -> None: ...

    def load(self, head: Any, parts: PartReader) -> Any: ...

    def metadata(self, value: Any) -> Any:
        if isinstance(self._metadata, Exception):
            raise self._metadata
        return self._metadata


def metadata(said: Any) -> dict[str, Any]:
    found = save(1, MemoryBlobs(), materializer=Described(said)).metadata
    found.pop("code", None)
    return found


class Kind(enum.StrEnum):
    GOOD = "good"


def test_scalars_of_numpy_and_members_of_enumerations_become_plain() -> None:
    said = {
        "a": np.float64(1.5),
        "b": np.int32(2),
        "c": (np.bool_(True), None),
        "d": Kind.GOOD,
        "e": {"f": np.array(3)},
    }
    found = metadata(said)
    assert found == {"a": 1.5, "b": 2, "c": [True, None], "d": "good", "e": {"f": 3}}
    assert {type(one) for one in (found["a"], found["b"], found["c"][0], found["d"])} == {float, int, bool, str}


def test_an_integer_of_more_than_64_bits_becomes_its_digits() -> None:
    assert metadata({"a": 2**70, "b": -(2**63)}) == {"a": str(2**70), "b": -(2**63)}


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (ValueError("no\nluck"), "ValueError: no luck"),
        ({"a": {"b": object()}}, "TypeError: a.b is a builtins.object, not a plain value"),
        ({1: 2}, "TypeError: the key 1 is no text"),
        (5, "AttributeError: 'int' object has no attribute 'items'"),
    ],
)
def test_a_value_is_saved_whatever_is_said_of_it_and_the_problem_is_recorded(said: Any, problem: str) -> None:
    assert metadata(said) == {"metadata_problem": problem}


def test_what_is_too_large_is_left_out_and_named_the_rest_stays() -> None:
    found = metadata({"rows": 3, "columns": ["x" * 100] * 200, "more": "y" * METADATA_MAX_BYTES})
    assert found == {"rows": 3, "metadata_problem": "too large and left out: columns, more"}
