"""SIGKILL at random moments of an import, and its end at each durable step: nothing or all is there, again is whole."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lineal
from lineal.cas.environment import Changes, Environment
from lineal.cas.files import BlobFiles

PROGRAM = """
import sys, lineal
with lineal.open(sys.argv[1]) as store:
    print("ready", flush=True)
    store.import_bundle(sys.argv[2])
    print("done", flush=True)
"""
VALUES = 60


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small, medium and large values."""
    folder = tmp_path_factory.mktemp("kill")
    with lineal.open(folder / "store") as store:
        for number in range(VALUES):
            store.save(np.arange((10, 5_000, 200_000)[number % 3]) + number, f"a{number}")
        store.export_bundle(folder / "x.bundle")
    shutil.rmtree(folder / "store")
    return folder / "x.bundle"


def check(path: Path) -> int:
    """The store is sound, and has all values or none; tell how many."""
    with lineal.open(path) as store:
        found = store.artifacts()
        assert len(found) in (0, VALUES)
        assert store.verify().damages == ()
        return len(found)


def kill_imports(path: Path, bundle: Path, rounds: int, seed: int) -> None:
    """Kill an import so often, each into a new store, and import again."""
    chance = random.Random(seed)
    took_s = 0.3
    for _ in range(rounds):
        shutil.rmtree(path, ignore_errors=True)
        command = [sys.executable, "-P", "-c", PROGRAM, str(path), str(bundle)]
        begun = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert begun.stdout is not None
        with begun.stdout as said:
            assert said.readline() == "ready\n"
            started_s = time.monotonic()
            time.sleep(chance.random() * took_s)
            os.kill(begun.pid, signal.SIGKILL)
            is_done = said.readline() == "done\n"
        begun.wait(60)
        took_s = max(0.05, time.monotonic() - started_s) if is_done else min(2.0, took_s * 1.5)
        assert check(path) == VALUES or not is_done
        with lineal.open(path) as store:
            store.import_bundle(bundle)
            assert store.import_bundle(bundle).is_new is False
        assert check(path) == VALUES


def test_an_import_that_is_killed_leaves_nothing_or_all_and_again_is_whole(store_path: Path, bundle: Path) -> None:
    kill_imports(store_path, bundle, rounds=2, seed=1)
    assert check(store_path) == VALUES


@pytest.mark.torture
def test_two_hundred_killed_imports_are_whole_once_they_are_repeated(store_path: Path, bundle: Path) -> None:
    kill_imports(store_path, bundle, rounds=200, seed=2)
    assert check(store_path) == VALUES


class Crash(BaseException):
    """The power goes."""


def crash(*_: Any, **__: Any) -> None:
    """Do nothing else."""
    raise Crash


def publish_and_crash(files: BlobFiles, *arguments: Any) -> None:
    """End once files are durable."""
    PUBLISH(files, *arguments)
    raise Crash


@contextmanager
def change_and_crash(environment: Environment, *arguments: Any) -> Iterator[Changes]:
    """End once the commit is durable."""
    with CHANGING(environment, *arguments) as changes:
        yield changes
    raise Crash


PUBLISH, CHANGING = BlobFiles.publish, Environment.changing
PLACES: list[tuple[Any, str, Any, int]] = [
    (BlobFiles, "publish", crash, 0),
    (BlobFiles, "publish", publish_and_crash, 0),
    (Environment, "changing", crash, 0),
    (Environment, "changing", change_and_crash, VALUES),
]


@pytest.mark.parametrize(("owner", "name", "ending", "expected"), PLACES)
def test_an_import_that_ends_at_any_of_its_durable_steps_is_whole_or_nothing(
    store_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, ending: Any, expected: int
) -> None:
    with lineal.open(store_path) as store:
        monkeypatch.setattr(owner, name, ending)
        with pytest.raises(Crash):
            store.import_bundle(bundle)
        monkeypatch.undo()
        assert len(store.artifacts()) == expected
        assert store.import_bundle(bundle).is_new is (expected == 0)
    assert check(store_path) == VALUES
