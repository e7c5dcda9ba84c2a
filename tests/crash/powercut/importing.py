"""What a store goes through while a bundle is imported into it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from powercut.acknowledging import Acknowledge, Phase, numbers

import lineal
from lineal import pipeline, step


def _beside(store: Path, name: str) -> Path:
    """A path beside what is recorded."""
    return store.parents[3] / name


@step
def drawn(seed: int) -> tuple[np.ndarray, dict, str]:
    """A large output, a small one, and one between."""
    return numbers(seed, 180_000), {"seed": seed}, "text" * 8_000


@step
def summed(first: np.ndarray) -> float:
    """A small output of a large one."""
    return float(first.sum())


@pipeline
def drawing(seed: int) -> None:
    """Two steps."""
    first, _, _ = drawn(seed)
    summed(first)


def beside_a_bundle(store: Path, acknowledge: Acknowledge) -> None:
    """Begin with a store, and with a bundle of two runs and of values of every size from another one."""
    with lineal.open(_beside(store, "other")) as other:
        for number in (150, 151):
            drawing(number)
        packed = {"a": numbers(152, 4000), "b": numbers(153, 5000)}
        for name, value in {"small": 1, "packed": packed, "large": numbers(154, 200_000)}.items():
            other.save(value, f"other-{name}")
        other.flush()
        other.export_bundle(_beside(store, "x.bundle"))
        together = [(version.name, str(version.content)) for version in other.versions()]
    with lineal.open(store) as client:
        acknowledge(store=str(client.store.id))
        acknowledge.saved(client, client.save(numbers(155, 5000), "own"))
    acknowledge(together=json.dumps(together))


def import_bundle(store: Path, acknowledge: Acknowledge) -> None:
    """Import it, and once more, which changes nothing; then go on."""
    bundle = _beside(store, "x.bundle")
    with lineal.open(store) as client, _own(client):
        assert client.import_bundle(bundle).is_new
        for version in client.versions():
            acknowledge(saved=version.name, content=str(version.content))
        assert not client.import_bundle(bundle).is_new
        acknowledge.saved(client, client.save(numbers(156, 6000), "after"))


@contextmanager
def _own(client: lineal.Client) -> Iterator[None]:
    """What is imported adds to what was there."""
    before = {version.name for version in client.versions()}
    yield
    assert before < {version.name for version in client.versions()}


IMPORTING: dict[str, tuple[Phase, Phase]] = {"import_bundle": (beside_a_bundle, import_bundle)}
