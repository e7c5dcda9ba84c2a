"""What does it cost to save and load an array of 1 GiB, beside numpy's own file and an fsync?"""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path

import numpy as np
from measure import in_child, in_turns, ratio, report, seconds

import lineal

SIZE_BYTES, TURNS = 1 << 30, 5

MEMORY_SCRIPT = """
import resource, sys
import lineal, numpy as np
array = np.random.default_rng(0).random(int(sys.argv[2]) // 8)
with lineal.open(sys.argv[1]) as store:
    store.save(np.zeros(100_000), "warm")
    store.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    store.save(array, "array")
    store.flush()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def main() -> None:
    """Print the comparison, and how much memory a save takes beyond the array."""
    array = np.random.default_rng(0).random(SIZE_BYTES // 8)
    numbers = itertools.count(1)
    with tempfile.TemporaryDirectory() as folder, lineal.open(Path(folder) / "store") as store:
        files = [Path(folder) / f"{turn}.npy" for turn in range(TURNS)]
        file, unused = files[0], iter(files)

        def numpy_save() -> None:
            # A new file each time, as for the blob: pages freed just before would be there for the taking.
            with next(unused).open("wb") as stream:
                np.save(stream, array)
                stream.flush()
                os.fsync(stream.fileno())

        def save_new() -> None:
            array[0] = next(numbers)
            save_same()

        def save_same() -> None:
            store.save(array, "array")
            store.flush()

        saving = in_turns(
            {
                "np.save and fsync": lambda: seconds(numpy_save),
                "save, new": lambda: seconds(save_new),
                "save, the same again": lambda: seconds(save_same),
            },
            TURNS,
        )
        newest = store.artifact("array")
        loading = in_turns(
            {
                "np.load(mmap_mode='r')": lambda: seconds(lambda: np.load(file, mmap_mode="r")),
                "load": lambda: seconds(newest.load),
                "np.load(mmap_mode='r'), and its sum": lambda: seconds(lambda: np.load(file, mmap_mode="r").sum()),
                "load, and its sum": lambda: seconds(lambda: newest.load().sum()),
            },
            TURNS,
        )
        extra_kib = int(in_child(MEMORY_SCRIPT, str(Path(folder) / "memory"), str(SIZE_BYTES)))
    notes = {"save, new": ratio(saving, "save, new", "np.save and fsync") + "   budget 1.25"}
    report("An array of 1 GiB: saving, durable", saving, notes)
    print(f"  peak memory beyond the array                 {extra_kib / 1024:>8.1f} MiB   budget 64 MiB")
    whole = ratio(loading, "load, and its sum", "np.load(mmap_mode='r'), and its sum")
    report("An array of 1 GiB: loading", loading, {"load": "budget 1 ms", "load, and its sum": whole})


if __name__ == "__main__":
    main()
