"""What does it cost to save and load containers: 100,000 mixed items, and a state of 50 tensors, beside pickle, joblib
and Arrow IPC?"""

from __future__ import annotations

import itertools
import os
import pickle
import tempfile
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pyarrow as pa
from measure import in_turns, ratio, report, seconds, sync_files

import lineal

ITEMS, TENSORS, TURNS = 100_000, 50, 5
SHAPE = (256, 1024)


def mixed(turn: int) -> list[Any]:
    """Items of ten types, other ones each turn."""
    kinds: tuple[Callable[[int], Any], ...] = (
        int,
        float,
        str,
        lambda number: None,
        lambda number: number % 2 == 0,
        lambda number: (number, str(turn)),
        lambda number: {"id": number, "name": f"item {number}"},
        lambda number: [number] * 3,
        lambda number: date(2000, 1, 1) + timedelta(days=number % 10_000),
        lambda number: number.to_bytes(8, "big"),
    )
    return [kinds[number % len(kinds)](number + turn) for number in range(ITEMS)]


def state(turn: int) -> dict[str, Any]:
    """As a model's: tensors by name, where PyTorch is installed, else arrays."""
    random = np.random.default_rng(turn)
    arrays = {f"layer.{number}.weight": random.random(SHAPE, np.float32) for number in range(TENSORS)}
    try:
        import torch
    except ImportError:
        return arrays
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def touch(found: Any) -> None:
    """Look at all of what was loaded."""
    if isinstance(found, dict):
        for one in found.values():
            one.sum()


class Ways:
    """The ways to save values that are new each turn, and to load the last."""

    def __init__(self, folder: Path, store: lineal.Client, make: Callable[[int], Any]) -> None:
        self._folder, self._store, self._make = folder, store, make
        self._turns = itertools.count()
        self.value = make(next(self._turns))

    def renewed(self, action: Callable[[], object]) -> Callable[[], float]:
        """Measure an action on another value."""

        def subject() -> float:
            self.value = self._make(next(self._turns))
            sync_files(self._folder)
            return seconds(action)

        return subject

    def pickle_save(self) -> None:
        """A file of pickle's protocol 5, synced."""
        with (self._folder / "pickle").open("wb") as stream:
            pickle.dump(self.value, stream, 5)
            stream.flush()
            os.fsync(stream.fileno())

    def pickle_load(self) -> Any:
        """The same."""
        with (self._folder / "pickle").open("rb") as stream:
            return pickle.load(stream)

    def joblib_save(self) -> None:
        """A file by joblib."""
        joblib.dump(self.value, self._folder / "joblib")

    def joblib_load(self) -> Any:
        """The same."""
        return joblib.load(self._folder / "joblib")

    def arrow_save(self) -> None:
        """A column a tensor, in an Arrow IPC file, synced."""
        columns: Mapping[str, Any] = {name: pa.array(np.asarray(one).reshape(-1)) for name, one in self.value.items()}
        table = pa.table(columns)
        with (self._folder / "arrow").open("wb") as stream:
            with pa.ipc.new_file(stream, table.schema) as writer:
                writer.write_table(table)
            stream.flush()
            os.fsync(stream.fileno())

    def arrow_load(self) -> Any:
        """The same, mapped, as arrays."""
        table = pa.ipc.open_file(pa.memory_map(str(self._folder / "arrow"))).read_all()
        return {name: table.column(name).chunk(0).to_numpy().reshape(SHAPE) for name in table.column_names}

    def save(self) -> None:
        """Durably, as the next version of one artifact."""
        self.newest = self._store.save(self.value, self._make.__name__)
        self._store.flush()

    def load(self) -> Any:
        """The newest version."""
        return self.newest.load()


def compare(title: str, make: Callable[[int], Any], *, has_arrow: bool) -> None:
    """Print how the ways compare on what is made."""
    with tempfile.TemporaryDirectory() as name, lineal.open(Path(name) / "store") as store:
        ways = Ways(Path(name), store, make)
        arrow_save = {"Arrow IPC file and fsync": ways.renewed(ways.arrow_save)} if has_arrow else {}
        saving = in_turns(
            {
                "pickle file and fsync": ways.renewed(ways.pickle_save),
                "joblib.dump (not durable)": ways.renewed(ways.joblib_save),
                **arrow_save,
                "save": ways.renewed(ways.save),
                "save, the same again": lambda: seconds(ways.save),
            },
            TURNS,
        )
        arrow_load = {"Arrow IPC, mapped": lambda: seconds(lambda: touch(ways.arrow_load()))} if has_arrow else {}
        loading = in_turns(
            {
                "pickle": lambda: seconds(lambda: touch(ways.pickle_load())),
                "joblib.load": lambda: seconds(lambda: touch(ways.joblib_load())),
                **arrow_load,
                "load": lambda: seconds(lambda: touch(ways.load())),
            },
            TURNS,
        )
    report(f"{title}: saving, durable", saving, {"save": ratio(saving, "save", "pickle file and fsync")})
    report(f"{title}: loading, and all looked at", loading, {"load": ratio(loading, "load", "pickle")})


def main() -> None:
    """Print the comparisons."""
    compare(f"A list of {ITEMS:,} mixed items", mixed, has_arrow=False)
    compare(f"A state of {TENSORS} tensors of 1 MiB", state, has_arrow=True)


if __name__ == "__main__":
    main()
