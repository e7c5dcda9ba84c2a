"""Stores of older formats: brought to today's at the first opening, from wherever it was cut short."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

import lineal
from lineal.cas import CATALOG, Inline, Whole
from lineal.cas.place import decode_row
from lineal.directory import open_environment
from lineal.errors import FormatTooOld

ARRAY = np.arange(300_000)


@pytest.fixture
def old_store(store_path: Path) -> Path:
    """A store as format 1 had it: no packs, no checksums in the catalog."""
    with lineal.open(store_path) as store:
        store.save(ARRAY, "array")
        store.save({"a": 1}, "small")
    environment = open_environment(store_path, 1 << 34, read_only=False)
    with environment.begin(write=True) as txn:
        catalog = environment.databases[CATALOG]
        for key, data in [(bytes(key), bytes(value)) for key, value in txn.cursor(catalog)]:
            row = decode_row(key, data)
            assert isinstance(row.place, Whole | Inline)
            is_inline = isinstance(row.place, Inline)
            old = struct.pack("<BBQ", is_inline, row.kind, row.size_bytes)
            txn.put(key, old + (row.place.data if isinstance(row.place, Inline) else b""), db=catalog)
    environment.close()
    set_version(store_path, 1)
    return store_path


def set_version(path: Path, version: int) -> None:
    """Change what FORMAT says."""
    fields = json.loads((path / "FORMAT").read_text())
    fields["version"] = version
    (path / "FORMAT").write_text(json.dumps(fields))


def check(path: Path) -> None:
    """Everything in the old store is there."""
    with lineal.open(path) as store:
        assert store.load("small") == {"a": 1}
        assert (store.load("array") == ARRAY).all()
        assert store.verify() == []
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
