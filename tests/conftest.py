"""Stores to test with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import lineal
from lineal.store import Store, open_store

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("lineal", deadline=None)
hypothesis.settings.load_profile("lineal")


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    """Where a store may be made."""
    return tmp_path / "store"


@pytest.fixture
def store(store_path: Path) -> Iterator[Store]:
    """An open store, new."""
    opened = open_store(store_path)
    yield opened
    opened.close()


@pytest.fixture
def client(store_path: Path) -> Iterator[lineal.Client]:
    """A handle on a new store, which is also the one in force."""
    with lineal.open(store_path) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _no_stray_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a store that is found, rather than opened by path, inside the test's own directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINEAL_STORE", raising=False)
