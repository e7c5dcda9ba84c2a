"""Literals: stored like any other value, and shown without running anything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.cas import BlobStore, MemoryBlobs
from lineal.cas.blob import read_manifest
from lineal.errors import UnsavableValue
from lineal.materializers import load
from lineal.pipeline.graph.literals import Literals
from lineal.store import Store, open_store


@pytest.fixture(scope="module")
def blobs_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlobStore]:
    """One store for all examples of a property."""
    store = open_store(tmp_path_factory.mktemp("literals") / "store")
    yield store.blobs
    store.close()


def test_simple_literals_are_saved_once_and_come_back(store: Store) -> None:
    literals = Literals(store.blobs)
    for value in (None, True, 1, 1.0, "1", b"1", [1, (2, {3})], {"a": np.float32(2)}, -0.0):
        saved = literals.save("x", value)
        blobs = MemoryBlobs(saved.blobs)
        found = load(read_manifest(blobs, saved.content), blobs)
        assert (type(found), repr(found)) == (type(value), repr(value))
    assert literals.save("x", 1) is literals.save("x", 1)


@given(st.lists(st.sampled_from([1, True, 1.0, "1", b"1", 0, False, 0.0, -0.0, None]), min_size=2, max_size=2))
def test_literals_that_compare_equal_but_are_of_another_type_are_told_apart(
    blobs_of_the_session: BlobStore, values: list[Any]
) -> None:
    literals = Literals(blobs_of_the_session)
    first, second = (literals.save("x", value) for value in values)
    same = type(values[0]) is type(values[1]) and repr(values[0]) == repr(values[1])
    assert (first.content == second.content) == same


def test_the_text_of_a_literal_is_bounded_and_runs_nobodys_code(store: Store) -> None:
    class Rude:
        def __repr__(self) -> str:
            raise AssertionError("was asked for its text")

    literals = Literals(store.blobs)
    assert literals.save("x", list(range(10_000))).text == "[0, 1, 2, 3, 4, 5, ...]"
    assert len(literals.save("x", "y" * 10_000).text) <= 200
    assert literals.save("x", np.arange(3)).text == "<ndarray>"
    assert "Rude" in literals.save("x", Rude()).text


def test_a_literal_that_can_not_be_saved_is_named(store: Store) -> None:
    with pytest.raises(UnsavableValue, match="parameter 'stream'"):
        Literals(store.blobs).save("stream", threading.Lock())
