"""How fast do ten thousand runs of five cached steps go, and how fast is a store that holds them listed?"""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path

from measure import Timing, in_turns, report, seconds

import lineal
from lineal import pipeline, step

RUNS, TURNS = 10_000, 3


@step
def one(x: float) -> float:
    """As little as a step can do."""
    return x + 1


@pipeline
def chain(start: float) -> None:
    """Five steps, each on the one before."""
    one(one(one(one(one(start)))))


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder, lineal.open(Path(folder) / "store") as store:
        starts = [number / RUNS for number in range(RUNS)]
        executed = seconds(lambda: chain.sweep(start=starts)) / RUNS
        timings = in_turns({"cached, per run": lambda: seconds(lambda: chain.sweep(start=starts)) / RUNS}, TURNS)
        listed = in_turns({"the last 20 listed": lambda: seconds(lambda: list(islice(store.runs(), 20)))}, TURNS)
    notes = {"cached, per run": "budget 2 ms"}
    report(
        f"A sweep of {RUNS:,} runs of 5 trivial steps",
        {"executed, per run": Timing(executed, executed, executed), **timings, **listed},
        notes,
    )


if __name__ == "__main__":
    main()
