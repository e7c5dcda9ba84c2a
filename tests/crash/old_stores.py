"""Stores of older formats, looked at and changed by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb

import lineal

SMALL = {"letters": ["a", "b"], "number": 2}
"""What the golden stores have under the name ``small``."""


def contents(path: Path) -> dict[str, bytes]:
    """Every file of a store; LMDB's lock file is nobody's data."""
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and file.name != "lock.mdb"
    }


def format_of(path: Path) -> dict[str, Any]:
    return json.loads((path / "FORMAT").read_text())


def set_format(path: Path, **fields: Any) -> None:
    (path / "FORMAT").write_text(json.dumps({**format_of(path), **fields}))


def check(path: Path) -> None:
    """Everything in the old store is there, in today's format."""
    with lineal.open(path) as client:
        assert client.load("small") == SMALL
        assert client.verify().is_sound
    assert format_of(path)["version"] == 2
    assert not (path / "log.new").exists()


def changed(path: Path, database: bytes, change: Callable[[lmdb.Transaction, Any], None]) -> None:
    """Write to a store's database past everything that keeps it right."""
    with lmdb.open(str(path / "log"), map_size=1 << 30, max_dbs=64) as environment:
        place = environment.open_db(database, create=False)
        with environment.begin(write=True) as txn:
            change(txn, place)
