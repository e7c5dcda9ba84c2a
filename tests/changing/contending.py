"""Pipelines whose steps, in workers, want a name that others want too."""

from __future__ import annotations

import time
from pathlib import Path

import lineal
from lineal import pipeline, step
from lineal.errors import Conflict

RACERS = 2


@step
def named(path: Path, first: str, last: str) -> str:
    """Ask twice for one name, of different things."""
    store = lineal.open(path)
    store.rename(first, "the-one")
    store.rename(last, "the-one")
    return "done"


@step
def named_at_once(what: str, path: Path, start: Path) -> bool:
    """Rename once everybody is there; tell whether that was refused."""
    (start / what).touch()
    while len(list(start.iterdir())) < RACERS:
        time.sleep(0.001)
    try:
        lineal.open(path).rename(what, "the-one")
    except Conflict:
        return False
    return True


@pipeline(executor=("processes", 1))
def naming(path: Path, first: str, last: str) -> None:
    """In a worker."""
    named(path, first, last)


@pipeline(executor=("processes", RACERS), cache=False)
def racing(whats: list[str], path: Path, start: Path) -> None:
    """In two workers."""
    named_at_once.map(whats, path=path, start=start)
