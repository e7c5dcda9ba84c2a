"""What does a trivial step cost, executed and cached, with everything durable at the end of the run?"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import joblib
import lmdb
from measure import in_turns, ratio, report, seconds

import lineal
from lineal import pipeline, step

STEPS, TURNS = 200, 7
EVENT_BYTES = 600
_salts = itertools.count(1)


@step
def add(x: int) -> int:
    """As little as a step can do."""
    return x + 1


@pipeline
def many(salt: int) -> None:
    """Two hundred steps that do not depend on each other."""
    for number in range(STEPS):
        add(salt * STEPS + number)


def plain(x: int) -> int:
    """The same for joblib."""
    return x + 1


def raw_lmdb(environment: lmdb.Environment, commits: int) -> Callable[[], float]:
    """Write two events a step, durably, in so many commits: what the disk and LMDB alone take."""

    def write() -> None:
        for _ in range(commits):
            with environment.begin(write=True) as txn:
                for _ in range(2 * STEPS // commits):
                    txn.put(os.urandom(8), bytes(EVENT_BYTES))

    return lambda: seconds(write) / STEPS


def main() -> None:
    """Print the comparison."""
    with tempfile.TemporaryDirectory() as folder, lineal.open(Path(folder) / "store"):
        environment = lmdb.open(str(Path(folder) / "raw"), map_size=1 << 32)
        remembered = joblib.Memory(Path(folder) / "joblib", verbose=0).cache(plain)
        salt = [0]

        def cold() -> float:
            salt[0] = next(_salts)
            return seconds(lambda: many(salt[0])) / STEPS

        def joblib_calls() -> float:
            return seconds(lambda: [remembered(salt[0] * STEPS + number) for number in range(STEPS)]) / STEPS

        timings = in_turns(
            {
                "raw LMDB, one durable commit": raw_lmdb(environment, 1),
                "raw LMDB, one durable commit a step": raw_lmdb(environment, STEPS),
                "executed": cold,
                "cached": lambda: seconds(lambda: many(salt[0])) / STEPS,
                "joblib.Memory, executed (not durable)": joblib_calls,
                "joblib.Memory, cached": joblib_calls,
            },
            TURNS,
        )
        environment.close()
    limit = "raw LMDB, one durable commit"
    notes = {name: f"{ratio(timings, name, limit)}" for name in ("executed", "cached")}
    notes["executed"] += "   budget 250 µs"
    notes["cached"] += "   budget 50 µs"
    report(f"A trivial step, of {STEPS} in a run", timings, notes)


if __name__ == "__main__":
    main()
