"""What does it cost to save and load an array of 1 GiB, beside numpy's own file and an fsync, and beside joblib?"""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path

import joblib
import numpy as np
from measure import MIB, disk_bytes, extra_memory_bytes, in_child, in_turns, ratio, report, seconds, sync_files

import lineal

SIZE_BYTES, TURNS = 1 << 30, 3


def extra_memory(size_bytes: int) -> list[int]:
    """How much a first save and one under the same name take beyond the array, in bytes; in a process of its own."""
    random = np.random.default_rng(0)
    array = random.random(size_bytes // 8)
    with tempfile.TemporaryDirectory() as folder, lineal.open(Path(folder) / "store") as store:
        store.save(np.zeros(1_000_000), "warm")
        store.flush()

        def save() -> None:
            store.save(array, "array")
            store.flush()

        extra_bytes = [extra_memory_bytes(save)]
        array[:] = random.random(array.size)
        return [*extra_bytes, extra_memory_bytes(save)]


class Saves:
    """The ways to save an array; each turn's array is wholly new."""

    def __init__(self, folder: Path, store: lineal.Client) -> None:
        self._folder = folder
        self._store = store
        self._random = np.random.default_rng(0)
        self._names = itertools.count()
        self.array = self._random.random(SIZE_BYTES // 8)

    def renew(self) -> None:
        """Let every byte be another, and nothing be on its way to the disk."""
        self._random.random(out=self.array)
        sync_files(self._folder)

    def numpy(self) -> float:
        """A new file each time, as for the blob: pages freed just before would be there for the taking."""

        def save() -> None:
            with (self._folder / f"{next(self._names)}.npy").open("wb") as stream:
                np.save(stream, self.array)
                stream.flush()
                os.fsync(stream.fileno())

        self.renew()
        return seconds(save)

    def joblib(self) -> float:
        """The same by joblib, which syncs nothing."""
        self.renew()
        return seconds(lambda: joblib.dump(self.array, self._folder / f"{next(self._names)}.joblib"))

    def new_name(self) -> float:
        """Save what has no predecessor."""
        self.renew()
        return self.same_again(f"array-{next(self._names)}")

    def same_name(self) -> float:
        """Save what has nothing in common with its predecessor."""
        self.renew()
        return self.same_again("array")

    def same_again(self, name: str = "array") -> float:
        """Save, durably."""

        def save() -> None:
            self._store.save(self.array, name)
            self._store.flush()

        return seconds(save)


def main() -> None:
    """Print the comparison, and how much memory a save takes beyond the array."""
    with tempfile.TemporaryDirectory() as name, lineal.open(Path(name) / "store") as store:
        folder = Path(name)
        saves = Saves(folder, store)
        saving = in_turns(
            {
                "np.save and fsync": saves.numpy,
                "joblib.dump (not durable)": saves.joblib,
                "save, a new name": saves.new_name,
                "save, the same name": saves.same_name,
                "save, the same again": saves.same_again,
            },
            TURNS,
        )
        taken = disk_bytes(folder / "store") / (2 * TURNS * SIZE_BYTES)
        file, dumped = next(folder.glob("*.npy")), next(folder.glob("*.joblib"))
        newest = store.artifact("array")
        loading = in_turns(
            {
                "np.load(mmap_mode='r')": lambda: seconds(lambda: np.load(file, mmap_mode="r")),
                "load": lambda: seconds(newest.load),
                "joblib.load": lambda: seconds(lambda: joblib.load(dumped)),
                "joblib.load(mmap_mode='r')": lambda: seconds(lambda: joblib.load(dumped, mmap_mode="r")),
                "np.load(mmap_mode='r'), and its sum": lambda: seconds(lambda: np.load(file, mmap_mode="r").sum()),
                "load, and its sum": lambda: seconds(lambda: newest.load().sum()),
                "joblib.load, and its sum": lambda: seconds(lambda: joblib.load(dumped).sum()),
            },
            2 * TURNS,
        )
    limit = "np.save and fsync"
    notes = {
        name: f"{ratio(saving, name, limit)}   budget 1.25" for name in ("save, a new name", "save, the same name")
    }
    notes["save, the same again"] = f"{SIZE_BYTES / saving['save, the same again'].median_s / 1e9:.1f} GB/s"
    report("An array of 1 GiB: saving, durable", saving, notes)
    for place, extra_bytes in zip(("a new name", "the same name"), in_child(extra_memory, SIZE_BYTES), strict=True):
        print(f"  peak memory beyond the array, {place:<24} {extra_bytes / MIB:>6.1f} MiB   budget 64 MiB")
    print(f"  bytes on disk                                {taken:>8.4f} × the arrays")
    whole = ratio(loading, "load, and its sum", "np.load(mmap_mode='r'), and its sum")
    report("An array of 1 GiB: loading", loading, {"load": "budget 1 ms", "load, and its sum": whole})


if __name__ == "__main__":
    main()
