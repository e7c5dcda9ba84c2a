"""How many small values can be saved and loaded a second, beside diskcache and joblib?"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import diskcache
import joblib
import lmdb
import msgpack
from measure import disk_bytes, in_turns, ratio, report, seconds

import lineal
from lineal.history import ArtifactVersionView

VALUES, TURNS = 10_000, 3


class Saves:
    """The ways to save them; each turn's are new."""

    def __init__(self, folder: Path, store: lineal.Client) -> None:
        self._turns = itertools.count(1)
        self._store = store
        self._environment = lmdb.open(str(folder / "raw"), map_size=1 << 32)
        self._cache = diskcache.Cache(str(folder / "diskcache"))
        self._files = folder / "joblib"
        self._files.mkdir()
        self._keys = [os.urandom(32) for _ in range(VALUES)]
        self._dicts: list[dict[str, object]] = []

    def renew(self) -> None:
        """Make other dicts."""
        turn = next(self._turns)
        self._dicts = [{"id": number, "turn": turn, "name": f"item {number}", "x": 0.5} for number in range(VALUES)]

    def raw(self) -> None:
        """The limit: msgpack and one transaction."""
        with self._environment.begin(write=True) as txn:
            for key, value in zip(self._keys, self._dicts, strict=True):
                txn.put(key, msgpack.packb(value))

    def cache(self) -> None:
        """diskcache in one transaction."""
        with self._cache.transact():
            for number, value in enumerate(self._dicts):
                self._cache.set(number, value)

    def joblib(self) -> None:
        """A file each."""
        for number, value in enumerate(self._dicts):
            joblib.dump(value, self._files / str(number))

    def save(self) -> None:
        """As versions of one artifact."""
        for value in self._dicts:
            self._store.save(value, "item")
        self._store.flush()

    def loads(self, versions: list[ArtifactVersionView]) -> dict[str, Callable[[], object]]:
        """What each keeper is asked for each value."""

        def raw() -> None:
            for key in self._keys:
                with self._environment.begin() as txn:
                    msgpack.unpackb(txn.get(key))

        return {
            "raw LMDB and msgpack": raw,
            "diskcache": lambda: [self._cache.get(number) for number in range(VALUES)],
            "joblib.load": lambda: [joblib.load(self._files / str(number)) for number in range(VALUES)],
            "load": lambda: [version.load() for version in versions],
        }


def main() -> None:
    """Print the comparison."""
    with tempfile.TemporaryDirectory() as name, lineal.open(Path(name) / "store") as store:
        saves = Saves(Path(name), store)

        def each(action: Callable[[], object]) -> Callable[[], float]:
            return lambda: seconds(action) / VALUES

        def renewed(action: Callable[[], object]) -> Callable[[], float]:
            def subject() -> float:
                saves.renew()
                return seconds(action) / VALUES

            return subject

        saving = in_turns(
            {
                "raw msgpack and LMDB, one commit": renewed(saves.raw),
                "diskcache, one transaction (synced later)": renewed(saves.cache),
                "joblib.dump (not durable)": renewed(saves.joblib),
                "save": renewed(saves.save),
            },
            TURNS,
        )
        taken = disk_bytes(Path(name) / "store") / TURNS / VALUES
        versions = list(itertools.islice(store.artifact("item").artifact.versions, VALUES))
        loads = saves.loads(versions)
        loading = in_turns({way: each(action) for way, action in loads.items()}, TURNS)
    notes = {"save": ratio(saving, "save", "raw msgpack and LMDB, one commit") + "   budget 20 µs"}
    report("A small dict, of 10,000: saving as versions of one artifact, durable at the end", saving, notes)
    print(f"  bytes on disk, log and all                   {taken:>8,.0f} each")
    notes = {"load": ratio(loading, "load", "raw LMDB and msgpack") + "   budget 6.7 µs"}
    report("A small dict, of 10,000: loading", loading, notes)


if __name__ == "__main__":
    main()
