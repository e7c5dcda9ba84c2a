"""What does it cost to fan out 200 steps over threads and processes, recorded and durable, beside joblib?"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import joblib
from joblib.externals.loky import get_reusable_executor
from measure import in_turns, ratio, report, seconds

import lineal
from lineal import pipeline, step
from lineal.pipeline.workers.pool import Processes

STEPS, WORKERS, TURNS = 200, 2, 5
SLEEP_S = 0.02
_salts = itertools.count(1)
_preloads = itertools.count(1)


@step
def add(x: int) -> int:
    """As little as a step can do."""
    return x + 1


@step
def doze(x: int) -> int:
    """A step that lasts, and leaves the processor to others."""
    time.sleep(SLEEP_S)
    return x


@pipeline
def adding(salt: int) -> None:
    """Two hundred trivial steps."""
    for number in range(STEPS):
        add(salt * STEPS + number)


@pipeline
def dozing(salt: int) -> None:
    """Two hundred steps of 20 ms."""
    for number in range(STEPS):
        doze(salt * STEPS + number)


def plain_add(x: int) -> int:
    """The same for joblib."""
    return x + 1


def plain_doze(x: int) -> int:
    """The same for joblib."""
    time.sleep(SLEEP_S)
    return x


def by_joblib(function: Callable[[int], int]) -> Callable[[], float]:
    """Seconds a call takes there, with workers that are warm."""

    def calls() -> Iterable[object]:
        salt = next(_salts)
        return joblib.Parallel(n_jobs=WORKERS)(joblib.delayed(function)(salt + number) for number in range(STEPS))

    return lambda: seconds(calls) / STEPS


def by_lineal(job: object, executor: object) -> Callable[[], float]:
    """Seconds a step takes here."""
    return lambda: seconds(lambda: job.with_options(executor=executor)(next(_salts))) / STEPS  # type: ignore[attr-defined]


def joblib_anew() -> float:
    """The same as `by_joblib`, workers started anew."""
    get_reusable_executor(max_workers=WORKERS).shutdown(wait=True)
    return by_joblib(plain_add)()


def lineal_anew() -> float:
    """The same as `by_lineal`, workers started anew: a pool of another description is another pool."""
    return by_lineal(adding, Processes(WORKERS, idle_s=1 + next(_preloads) / 1000))()


def main() -> None:
    """Print the comparisons."""
    with tempfile.TemporaryDirectory() as folder, lineal.open(Path(folder) / "store"):
        threads, processes = ("threads", WORKERS), ("processes", WORKERS)
        peer = "joblib, loky"
        timings = in_turns(
            {
                peer: by_joblib(plain_add),
                "inline": by_lineal(adding, "inline"),
                "threads": by_lineal(adding, threads),
                "processes": by_lineal(adding, processes),
                "joblib, loky, started anew": joblib_anew,
                "processes, started anew": lineal_anew,
            },
            TURNS,
        )
        notes = {name: ratio(timings, name, peer) for name in ("threads", "processes")}
        notes["processes, started anew"] = ratio(timings, "processes, started anew", "joblib, loky, started anew")
        report(f"A trivial step, of {STEPS} over {WORKERS} workers; joblib records nothing", timings, notes)
        timings = in_turns(
            {
                peer: by_joblib(plain_doze),
                "threads": by_lineal(dozing, threads),
                "processes": by_lineal(dozing, processes),
            },
            TURNS,
        )
        notes = {name: ratio(timings, name, peer) for name in ("threads", "processes")}
        report(f"A step of {SLEEP_S * 1000:.0f} ms, of {STEPS} over {WORKERS} workers", timings, notes)


if __name__ == "__main__":
    main()
