"""Stores of older formats: brought to today's at the first opening, from wherever it was cut short."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from powercut.format_1 import make_format_1, set_version

import lineal
from lineal.errors import FormatTooOld

ARRAY = np.arange(300_000)


@pytest.fixture
def old_store(store_path: Path) -> Path:
    """A store as format 1 had it: no packs, no checksums in the catalog."""
    with lineal.open(store_path) as store:
        store.save(ARRAY, "array")
        store.save({"a": 1}, "small")
    make_format_1(store_path)
    return store_path


def check(path: Path) -> None:
    """Everything in the old store is there."""
    with lineal.open(path) as store:
        assert store.load("small") == {"a": 1}
        assert (store.load("array") == ARRAY).all()
        assert store.verify().is_sound
    assert json.loads((path / "FORMAT").read_text())["version"] == 2


def test_a_store_of_format_1_is_brought_to_todays_when_it_is_opened(old_store: Path) -> None:
    check(old_store)
    check(old_store)


def test_a_migration_cut_short_before_format_is_written_is_not_done_twice(old_store: Path) -> None:
    check(old_store)
    set_version(old_store, 1)
    check(old_store)


def test_an_old_store_is_not_migrated_by_one_who_only_reads(old_store: Path) -> None:
    before = (old_store / "log" / "data.mdb").read_bytes()
    with pytest.raises(FormatTooOld):
        lineal.open(old_store, read_only=True)
    assert (old_store / "log" / "data.mdb").read_bytes() == before
    check(old_store)
