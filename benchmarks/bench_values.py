"""How many small values can be saved and loaded a second?"""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path

import lmdb
import msgpack
from measure import in_turns, ratio, report, seconds

import lineal

VALUES, TURNS = 10_000, 3


def main() -> None:
    """Print the comparison."""
    turns = itertools.count(1)
    with tempfile.TemporaryDirectory() as folder, lineal.open(Path(folder) / "store") as store:
        environment = lmdb.open(str(Path(folder) / "raw"), map_size=1 << 32)
        keys = [os.urandom(32) for _ in range(VALUES)]
        dicts: list[dict[str, object]] = []

        def make() -> None:
            turn = next(turns)
            dicts[:] = [{"id": number, "turn": turn, "name": f"item {number}", "x": 0.5} for number in range(VALUES)]

        def raw_save() -> None:
            make()
            with environment.begin(write=True) as txn:
                for key, value in zip(keys, dicts, strict=True):
                    txn.put(key, msgpack.packb(value))

        def raw_load() -> None:
            for key in keys:
                with environment.begin() as txn:
                    msgpack.unpackb(txn.get(key))

        def save() -> None:
            make()
            for value in dicts:
                store.save(value, "item")
            store.flush()

        def load() -> None:
            for version in versions:
                version.load()

        saving = in_turns(
            {
                "raw msgpack and LMDB, one commit": lambda: seconds(raw_save) / VALUES,
                "save": lambda: seconds(save) / VALUES,
            },
            TURNS,
        )
        versions = list(itertools.islice(store.artifact("item").artifact.versions, VALUES))
        loading = in_turns(
            {"raw LMDB and msgpack": lambda: seconds(raw_load) / VALUES, "load": lambda: seconds(load) / VALUES}, TURNS
        )
        environment.close()
    notes = {"save": ratio(saving, "save", "raw msgpack and LMDB, one commit") + "   budget 20 µs"}
    report("A small dict, of 10,000: saving as versions of one artifact, durable at the end", saving, notes)
    notes = {"load": ratio(loading, "load", "raw LMDB and msgpack") + "   budget 6.7 µs"}
    report("A small dict, of 10,000: loading", loading, notes)


if __name__ == "__main__":
    main()
