"""What does it cost to save and load a frame of 2,000,000 rows and 12 columns, beside an Arrow IPC file?"""

from __future__ import annotations

import itertools
import os
import tempfile
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


def main() -> None:
    """Print the comparison."""
    frame, numbers = make_frame(), itertools.count()
    with tempfile.TemporaryDirectory() as name, lineal.open(Path(name) / "store") as store:
        folder = Path(name)

        def arrow_save() -> None:
            table = pa.Table.from_pandas(frame)
            with (folder / f"{next(numbers)}.arrow").open("wb") as stream:
                with pa.ipc.new_file(stream, table.schema) as writer:
                    writer.write_table(table)
                stream.flush()
                os.fsync(stream.fileno())

        def arrow_load() -> pd.DataFrame:
            return pa.ipc.open_file(pa.memory_map(str(file))).read_all().to_pandas(split_blocks=True)

        def save() -> None:
            store.save(frame, f"frame-{next(numbers)}")
            store.flush()

        def new() -> None:
            for label in frame.columns[:9]:
                frame[label] += 1
            sync_files(folder)

        def timed_new(action: object) -> float:
            new()
            return seconds(action)  # type: ignore[arg-type]

        saving = in_turns(
            {
                "Arrow IPC file and fsync": lambda: timed_new(arrow_save),
                "joblib.dump (not durable)": lambda: timed_new(lambda: joblib.dump(frame, folder / "frame.joblib")),
                "save, nine columns new": lambda: timed_new(save),
                "save, the same again": lambda: seconds(save),
            },
            TURNS,
        )
        taken = disk_bytes(folder / "store")
        file = next(folder.glob("*.arrow"))
        newest = store.artifact(f"frame-{next(numbers) - 1}")
        loading = in_turns(
            {
                "Arrow IPC, mapped, to pandas": lambda: seconds(arrow_load),
                "load": lambda: seconds(newest.load),
                "joblib.load": lambda: seconds(lambda: joblib.load(folder / "frame.joblib")),
                "joblib.load(mmap_mode='r')": lambda: seconds(
                    lambda: joblib.load(folder / "frame.joblib", mmap_mode="r")
                ),
                "Arrow IPC, and every column looked at": lambda: seconds(lambda: _touch(arrow_load())),
                "load, and every column looked at": lambda: seconds(lambda: _touch(newest.load())),
            },
            TURNS,
        )
        size_bytes = file.stat().st_size
    extra_bytes = in_child(extra_memory)
    notes = {
        "save, nine columns new": ratio(saving, "save, nine columns new", "Arrow IPC file and fsync") + "   budget 2"
    }
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
