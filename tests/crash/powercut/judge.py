"""Opens the states of a recording, in a process of its own, so that a state that kills its process is told of."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from powercut.disk import EVERYTHING, Folder, scanned
from powercut.place import STORE, Places
from powercut.replay import Replay
from powercut.states import States, Tree
from powercut.trace import calls
from powercut.verdict import Owed, faults

import lineal

_THOROUGH_EVERY = 5
_SHARED_MEMORY = "lock.mdb"
"""Written through a map, and made anew by whoever opens the store first."""


@dataclass(frozen=True, slots=True)
class Share:
    """Which states are one judge's."""

    number: int
    of: int
    """Every so-manieth, from one's own number on."""
    first: int
    """Those before it are passed over."""


def judge(recording: Path, share: Share, wanted: int, seed: int, tell: Callable[[list[Any]], None]) -> None:
    """Tell ``[number]`` before a state is opened, ``[number, description, faults]`` after."""
    again = _blobs_of(recording / "root" / STORE)
    traced = list(calls(recording / "trace"))

    def begin() -> Replay:
        known = (recording / "acknowledged-before").read_text(encoding="ascii").splitlines()
        return Replay(recording / "root", scanned(recording / "before"), recording / "acknowledged", known)

    replayed = begin()
    states = States.about(wanted, seed, replayed, traced)
    unlike = list(_unlike(replayed.disk, recording / "root"))
    if unlike:
        raise RuntimeError(f"the trace doesn't tell how these came to be what they are: {unlike}")
    with tempfile.TemporaryDirectory(dir=recording.parent) as folder:
        places = Places(Path(folder))
        for state in states.of(begin(), traced):
            if state.number < share.first or state.number % share.of != share.number:
                continue
            tell([state.number])
            place = places.put(state.tree)
            is_thorough = state.number // share.of % _THOROUGH_EVERY == 0
            facts = [json.loads(line) for line in state.acknowledged]
            owed = Owed(facts, list(_named(state.tree)), again if is_thorough else None)
            found = faults(place / STORE, owed)
            tell([state.number, state.description, found])


def _unlike(folder: Folder, path: Path) -> Iterator[str]:
    """What isn't on the disk as the replayed trace would have it: something has written without being seen."""
    if folder.live.keys() != set(os.listdir(path)):
        yield str(path)
    for name, node in folder.live.items():
        here = path / name
        if isinstance(node, Folder):
            yield from _unlike(node, here)
        elif name != _SHARED_MEMORY and node.content(EVERYTHING) != here.read_bytes():
            yield str(here)


def _named(tree: Tree) -> Iterator[Path]:
    """The files of blobs and packs, which are named by what is in them."""
    for name, content in tree.items():
        path = Path(name).relative_to(STORE) if content is not None and name.startswith(f"{STORE}/") else Path()
        if path.parts[:1] in (("blobs",), ("packs",)):
            yield path


def _blobs_of(store: Path) -> list[bytes]:
    """All large blobs of the store as the whole recording left it."""
    with lineal.open(store, read_only=True) as client:
        blobs = client._reader.store.blobs
        return [blobs.read(entry.digest) for entry in blobs.entries() if not entry.is_inline]
