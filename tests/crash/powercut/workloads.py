"""What a store goes through while it is recorded: each workload first prepares a store, then works with it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np

import lineal
from lineal import pipeline, step
from lineal.cas import digest_of
from lineal.cas.process import ProcessStamp


class Acknowledge:
    """Writes down what was acknowledged."""

    def __init__(self, file: TextIO) -> None:
        """Write to a line-buffered file."""
        self._file = file

    def __call__(self, **fact: str) -> None:
        """Note a fact that must outlive any power cut from now on."""
        self._file.write(json.dumps(fact) + "\n")

    def saved(self, client: lineal.Client, *versions: lineal.ArtifactVersionView) -> None:
        """Wait until saved versions are durable, and note them."""
        client.flush()
        for version in versions:
            self(saved=version.name, content=str(version.content))


def numbers(start: int, count: int) -> np.ndarray:
    """An array that is like no other."""
    return np.random.default_rng(start).random(count)


def nothing(store: Path) -> None:
    """Begin without a store."""


def empty(store: Path) -> None:
    """Begin with a store that has nothing in it yet."""
    lineal.open(store).close()


def filled(store: Path) -> None:
    """Begin with a store that has a few things in it."""
    with lineal.open(store) as client:
        for number in range(3):
            client.save(numbers(number, 4000 * (number + 1)), f"before-{number}")
            client.save({"number": number}, f"small-{number}")


def create(store: Path, acknowledge: Acknowledge) -> None:
    """Make a store."""
    with lineal.open(store) as client:
        acknowledge(store=str(client.store.id))


def save(store: Path, acknowledge: Acknowledge) -> None:
    """Save small and large values, one by one and several at once."""
    with lineal.open(store) as client:
        acknowledge.saved(client, client.save({"a": 1}, "small"))
        acknowledge.saved(client, client.save(numbers(10, 5000), "medium"))
        acknowledge.saved(client, client.save(numbers(11, 200_000), "large"))
        versions = [client.save(numbers(20 + number, 3000), f"one-of-many-{number}") for number in range(5)]
        acknowledge.saved(client, *versions)


@step
def many(seed: int) -> tuple[np.ndarray, np.ndarray, dict, str]:
    """Several outputs at once, large and small."""
    return numbers(seed, 30_000), numbers(seed + 1, 4000), {"seed": seed}, "text" * 10_000


@step
def total(first: np.ndarray, second: np.ndarray) -> float:
    """A small output of large ones."""
    return float(first.sum() + second.sum())


@pipeline
def several(seed: int) -> None:
    """A step of many outputs, and one that takes them."""
    first, second, _, _ = many(seed)
    total(first, second)


def run(store: Path, acknowledge: Acknowledge) -> None:
    """Run a pipeline anew, and once more from the cache."""
    with lineal.open(store):
        for seed in (1, 2, 1):
            acknowledge(run=str(several(seed).id))


def dedupe(store: Path, acknowledge: Acknowledge) -> None:
    """Save what is there already, and what another writer has just named without having synced the name."""
    with lineal.open(store) as client:
        acknowledge.saved(client, client.save(numbers(1, 8000), "the-same"))
        value = numbers(30, 8000)
        file = client.store.blobs.files.path(digest_of(value.tobytes()))
        scratch = store / "tmp" / f"{ProcessStamp.current().token}.other"
        with open(scratch, "wb") as writing:
            writing.write(value.tobytes())
            writing.flush()
            os.fsync(writing.fileno())
        scratch.rename(file)
        acknowledge.saved(client, client.save(value, "of-another"))


def rebuild(store: Path, acknowledge: Acknowledge) -> None:
    """Replay the projections, and go on."""
    with lineal.open(store) as client:
        client.rebuild()
        acknowledge.saved(client, client.save(numbers(40, 5000), "after"))


def two_processes(store: Path, acknowledge: Acknowledge) -> None:
    """Save from a forked child and from its parent, in turn."""
    with lineal.open(store) as client:
        acknowledge.saved(client, client.save(numbers(50, 5000), "parent-0"))
        child = os.fork()
        if child == 0:
            acknowledge.saved(client, client.save(numbers(51, 5000), "child"))
            os._exit(0)
        acknowledge.saved(client, client.save(numbers(52, 5000), "parent-1"))
        os.waitpid(child, 0)


WORKLOADS: dict[str, tuple[Callable[[Path], None], Callable[[Path, Acknowledge], None]]] = {
    "create": (nothing, create),
    "save": (filled, save),
    "run": (empty, run),
    "dedupe": (filled, dedupe),
    "rebuild": (filled, rebuild),
    "two_processes": (empty, two_processes),
}
