"""Two stores: one that a pipeline has filled, and one that takes bundles of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from trained import training

import lineal
from lineal import Client


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with three runs, the array of which is large, labels, and a save by hand. Not to be written to."""
    path = tmp_path_factory.mktemp("filled") / "store"
    with lineal.open(path, visualize=False) as store:
        for lr in (0.5, 0.25, 0.125):
            training(lr)
        store.save({"note": 1}, "note")
        store.tag("model@2", "good")
        store.alias("model@2", "champion")
        store.annotate("model@2", {"by": "hand"})
    return path


@pytest.fixture
def source(filled: Path, tmp_path: Path) -> Iterator[Client]:
    """A copy of it, open."""
    with lineal.open(shutil.copytree(filled, tmp_path / "source")) as store:
        yield store


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Client]:
    """An empty store."""
    with lineal.open(tmp_path / "target", visualize=False) as store:
        yield store
