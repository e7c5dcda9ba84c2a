"""What does it cost to save and load a frame of 2,000,000 rows and 12 columns, beside an Arrow IPC file?"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
from measure import MIB, disk_bytes, extra_memory_bytes, in_child, in_turns, ratio, report, seconds, sync_files

import lineal

ROWS, TURNS = 2_000_000, 5


def make_frame() -> pd.DataFrame:
    """Five columns of floats, four of integers, two of texts, one of categories."""
    random = np.random.default_rng(0)
    words = np.array([f"word {number:06}" for number in range(50_000)], dtype=object)
    columns: dict[str, object] = {f"float {number}": random.random(ROWS) for number in range(5)}
    columns |= {f"int {number}": random.integers(0, 1 << 40, ROWS) for number in range(4)}
    columns |= {f"text {number}": pd.array(words[random.integers(0, len(words), ROWS)], "str") for number in range(2)}
    columns["category"] = pd.Categorical.from_codes(
        random.integers(0, 40, ROWS), [f"kind {code}" for code in range(40)]
    )
    return pd.DataFrame(columns)


def extra_memory() -> int:
    """How much a save takes beyond the frame, in bytes; in a process of its own."""
    frame = make_frame()
    with tempfile.TemporaryDirectory() as folder, lineal.open(Path(folder) / "store") as store:
        store.save(frame[:100_000], "warm")
        store.flush()

        def save() -> None:
            store.save(frame, "frame")
            store.flush()

        return extra_memory_bytes(save)


def _touch(frame: pd.DataFrame) -> None:
    for label in frame.columns:
        column = frame[label]
        if column.dtype == "category":
            column.cat.codes.sum()
        elif column.dtype == "str":
            column.str.len().sum()
        else:
            column.sum()


class Saves:
    """The ways to save the frame, and to load it; most columns are new each turn."""

    def __init__(self, folder: Path, store: lineal.Client) -> None:
        self._folder = folder
        self._store = store
        self._frame = make_frame()
        self._numbers = itertools.count()
        self._dumped = folder / "frame.joblib"

    def arrow_save(self) -> None:
        """An Arrow IPC file, synced."""
        table = pa.Table.from_pandas(self._frame)
        self.file = self._folder / f"{next(self._numbers)}.arrow"
        with self.file.open("wb") as stream:
            with pa.ipc.new_file(stream, table.schema) as writer:
                writer.write_table(table)
            stream.flush()
            os.fsync(stream.fileno())

    def arrow_load(self) -> pd.DataFrame:
        """The same, mapped."""
        return pa.ipc.open_file(pa.memory_map(str(self.file))).read_all().to_pandas(split_blocks=True)

    def joblib_save(self) -> None:
        """A file by joblib."""
        joblib.dump(self._frame, self._dumped)

    def joblib_load(self, mmap_mode: str | None = None) -> pd.DataFrame:
        """The same, read or mapped."""
        return joblib.load(self._dumped, mmap_mode=mmap_mode)

    def save(self) -> None:
        """Save durably, under a new name, so that there is no predecessor."""
        self.newest = self._store.save(self._frame, f"frame-{next(self._numbers)}")
        self._store.flush()

    def renewed(self, action: Callable[[], object]) -> Callable[[], float]:
        """Measure an action once the nine columns of numbers are other ones."""

        def subject() -> float:
            for label in self._frame.columns[:9]:
                self._frame[label] += 1
            sync_files(self._folder)
            return seconds(action)

        return subject


def main() -> None:
    """Print the comparison."""
    with tempfile.TemporaryDirectory() as name, lineal.open(Path(name) / "store") as store:
        saves = Saves(Path(name), store)
        saving = in_turns(
            {
                "Arrow IPC file and fsync": saves.renewed(saves.arrow_save),
                "joblib.dump (not durable)": saves.renewed(saves.joblib_save),
                "save, nine columns new": saves.renewed(saves.save),
                "save, the same again": lambda: seconds(saves.save),
            },
            TURNS,
        )
        taken = disk_bytes(Path(name) / "store")
        loading = in_turns(
            {
                "Arrow IPC, mapped, to pandas": lambda: seconds(saves.arrow_load),
                "load": lambda: seconds(saves.newest.load),
                "joblib.load": lambda: seconds(saves.joblib_load),
                "joblib.load(mmap_mode='r')": lambda: seconds(lambda: saves.joblib_load("r")),
                "Arrow IPC, and every column looked at": lambda: seconds(lambda: _touch(saves.arrow_load())),
                "load, and every column looked at": lambda: seconds(lambda: _touch(saves.newest.load())),
            },
            TURNS,
        )
        size_bytes = saves.file.stat().st_size
    extra_bytes, fresh = in_child(extra_memory), "save, nine columns new"
    notes = {fresh: ratio(saving, fresh, "Arrow IPC file and fsync") + "   budget 2"}
    report(f"A frame of 2M × 12, {size_bytes / 1e6:.0f} MB as Arrow: saving, durable", saving, notes)
    print(f"  peak memory beyond the frame                 {extra_bytes / MIB:>8.1f} MiB   budget 64 MiB")
    print(f"  bytes on disk after {TURNS} frames                  {taken / size_bytes:>8.3f} × an Arrow file")
    looked = "load, and every column looked at"
    notes = {
        "load": ratio(loading, "load", "Arrow IPC, mapped, to pandas") + "   budget 2",
        looked: ratio(loading, looked, "Arrow IPC, and every column looked at"),
    }
    report("A frame of 2M × 12: loading", loading, notes)


if __name__ == "__main__":
    main()
