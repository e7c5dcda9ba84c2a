"""What do tiny steps, a fan-out and a sweep cost here, and in joblib, Hamilton and redun, each with its own cache?

Hamilton and redun are no part of the locked environment: ``make bench`` installs peers.txt. Theirs and
joblib's caches sync nothing; what lineal reports is durable.
"""

from __future__ import annotations

import itertools
import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import joblib
from measure import in_turns, ratio, report, seconds

import lineal
from lineal import pipeline, step

WIDE, SWEPT, TURNS = 200, 50, 5
CHAIN = 5
_salts = itertools.count(1)

Runs = dict[str, Callable[[int], object]]
"""By name of a workload, what runs it; for one number it computes the same, for another something else."""


@step
def one(x: int) -> int:
    """As little as a step can do."""
    return x + 1


@step
def gather(xs: list[int]) -> int:
    """What a fan-out ends in."""
    return sum(xs)


@pipeline
def fan_out(salt: int) -> None:
    """Two hundred steps, and one that takes them all."""
    gather([one(salt * WIDE + number) for number in range(WIDE)])


@pipeline
def chain(start: int) -> None:
    """Five steps, each on the one before."""
    value = start
    for _ in range(CHAIN):
        value = one(value)


def lineal_runs() -> Runs:
    """Ours."""
    return {
        "fan-out": fan_out,
        "sweep": lambda salt: chain.sweep(start=[salt * SWEPT + number for number in range(SWEPT)]),
    }


def joblib_runs(folder: Path) -> Runs:
    """Functions that joblib remembers."""
    memory = joblib.Memory(folder, verbose=0)
    remembered, gathered = memory.cache(one.function), memory.cache(gather.function)

    def chained(value: int) -> None:
        for _ in range(CHAIN):
            value = remembered(value)

    return {
        "fan-out": lambda salt: gathered([remembered(salt * WIDE + number) for number in range(WIDE)]),
        "sweep": lambda salt: [chained(salt * SWEPT + number) for number in range(SWEPT)],
    }


def hamilton_runs(folder: Path) -> Runs:
    """Drivers of Hamilton with its cache; the nodes of the fan-out are made by its own decorator."""
    import hamilton_nodes
    from hamilton import driver

    logging.getLogger("hamilton").setLevel(logging.ERROR)

    def built(name: str, module: object) -> driver.Driver:
        return driver.Builder().with_modules(module).with_cache(path=str(folder / name)).build()

    wide, chained = built("wide", hamilton_nodes.wide()), built("chain", hamilton_nodes.chained())
    last = f"value_{CHAIN}"
    return {
        "fan-out": lambda salt: wide.execute(["gathered"], inputs={"salt": salt}),
        "sweep": lambda salt: [
            chained.execute([last], inputs={"value_0": salt * SWEPT + number}) for number in range(SWEPT)
        ],
    }


def redun_runs(folder: Path) -> Runs:
    """Tasks of redun in its own database."""
    import redun_tasks
    from redun import Scheduler
    from redun.config import Config

    logging.getLogger("redun").setLevel(logging.ERROR)
    scheduler = Scheduler(config=Config({"backend": {"db_uri": f"sqlite:///{folder / 'redun.db'}"}}))
    scheduler.load()
    return {
        "fan-out": lambda salt: scheduler.run(redun_tasks.fan_out(salt, WIDE)),
        "sweep": lambda salt: [
            scheduler.run(redun_tasks.chain(salt * SWEPT + number, CHAIN)) for number in range(SWEPT)
        ],
    }


def main() -> None:
    """Print the comparisons."""
    with tempfile.TemporaryDirectory() as name, lineal.open(Path(name) / "store"):
        folder = Path(name)
        tools = {"lineal": lineal_runs(), "joblib.Memory": joblib_runs(folder / "joblib")}
        try:
            tools |= {"Hamilton": hamilton_runs(folder), "redun": redun_runs(folder)}
        except ModuleNotFoundError as error:
            print(f"\nLeft out: {error.name} is not installed (pip install -r benchmarks/peers.txt)", file=sys.stderr)
        compare(tools, "fan-out", f"A fan-out of {WIDE} trivial steps, per step", WIDE + 1)
        compare(tools, "sweep", f"A sweep of {SWEPT} runs of {CHAIN} trivial steps each, per run", SWEPT)


def compare(tools: dict[str, Runs], workload: str, title: str, parts: int) -> None:
    """Run a workload in all tools by turns, each time first as something new, then again."""
    salt = [0]

    def timed(runs: Runs, *, is_new: bool) -> float:
        if is_new:
            salt[0] = next(_salts)
        return seconds(lambda: runs[workload](salt[0])) / parts

    subjects: dict[str, Callable[[], float]] = {}
    for tool, runs in tools.items():
        subjects[f"{tool}, executed"] = lambda runs=runs: timed(runs, is_new=True)
        subjects[f"{tool}, cached"] = lambda runs=runs: timed(runs, is_new=False)
    timings = in_turns(subjects, TURNS)
    notes = {
        f"{tool}, {state}": ratio(timings, f"{tool}, {state}", f"lineal, {state}")
        for tool in list(tools)[1:]
        for state in ("executed", "cached")
    }
    report(title, timings, notes)


if __name__ == "__main__":
    main()
