"""What a store goes through while it is collected."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from powercut.acknowledging import Acknowledge, Phase, numbers

import lineal
from lineal import Retention


def many_versions(store: Path, acknowledge: Acknowledge) -> None:
    """Begin with versions of every kind: inline, in a pack, in a file of its own, and cut from one another."""
    first = numbers(90, 180_000)
    with lineal.open(store) as client:
        for number in range(3):
            acknowledge.saved(client, client.save({"number": number}, "small"), client.save(medium(number), "medium"))
            grown = np.append(first, numbers(91 + number, 4000 * number))
            acknowledge.saved(client, client.save(grown, "large"))


def medium(number: int) -> dict[str, np.ndarray]:
    """A value that shares buffers with its neighbours."""
    return {"a": numbers(number, 4000), "b": numbers(number + 1, 4000), "c": numbers(number + 2, 3000)}


def collect(store: Path, acknowledge: Acknowledge) -> None:
    """Collect by a policy; save again a part of what it evicted; release by hand, and collect once more."""
    with lineal.open(store) as client:
        acknowledge.released(client.collect(Retention(keep_last=1), grace_s=0))
        acknowledge.saved(client, client.save(medium(0), "medium"))
        acknowledge.saved(client, client.save(numbers(90, 180_000), "other"))
        client.release("large")
        acknowledge.released(client.collect(grace_s=0))
        acknowledge.saved(client, client.save(numbers(1, 4000), "after"))


def collect_while_saving(store: Path, acknowledge: Acknowledge) -> None:
    """Collect in one process what another one saves again."""
    with lineal.open(store) as client:
        client.flush()
        child = os.fork()
        if child == 0:
            for _ in range(4):
                client.collect(Retention(keep_last=1), grace_s=0)
            os._exit(0)
        for number in (0, 1, 2, 0):
            acknowledge.saved(client, client.save(medium(number), "medium"), client.save({"number": number}, "small"))
        _, status = os.waitpid(child, 0)
        assert status == 0


def mostly_dead(store: Path, acknowledge: Acknowledge) -> None:
    """Begin with a pack of which the newest version needs little."""
    many = {f"{number}": numbers(120 + number, 5000) for number in range(6)}
    with lineal.open(store) as client:
        acknowledge.saved(client, client.save(many, "shrinks"))
        acknowledge.saved(client, client.save({"first": many["0"], "last": many["5"]}, "shrinks"))


def compact(store: Path, acknowledge: Acknowledge) -> None:
    """Collect, so that the pack is mostly dead and its rest moves to another; then go on."""
    with lineal.open(store) as client:
        collection = client.collect(Retention(keep_last=1), grace_s=0)
        assert collection.compacted == 1
        acknowledge.released(collection)
        acknowledge.saved(client, client.save({"first": numbers(120, 5000), "more": numbers(130, 5000)}, "shrinks"))


COLLECTING: dict[str, tuple[Phase, Phase]] = {
    "collect": (many_versions, collect),
    "compact": (mostly_dead, compact),
    "collect_while_saving": (many_versions, collect_while_saving),
}
