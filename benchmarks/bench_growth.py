"""Does a step cost more, and does a question take longer, the longer the log has grown?"""

from __future__ import annotations

import itertools
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from histories import History, grow
from measure import disk_bytes, seconds, show_table, shown

import lineal
from lineal import pipeline, step
from lineal.events.catalogue import StepCompleted
from lineal.events.projections import Cache
from lineal.events.rows import key
from lineal.history import History as Past
from lineal.store import open_store

SMALL_EVENTS = 1000
LARGE_EVENTS = int(os.environ.get("LINEAL_BENCH_GROWN_EVENTS", "200000"))
BUDGET = 1.3
STEPS, APPENDS, ASKED, TURNS = 100, 1000, 50, 7
_MOMENTS_EACH = 100
_salts = itertools.count(1)

Times = dict[str, list[float]]


class Costs(NamedTuple):
    """Seconds for one of each, a turn each, in a store."""

    small: Times
    large: Times

    def ratio(self, name: str) -> float:
        """How many times as long it takes in the large one: of the medians."""
        return statistics.median(self.large[name]) / statistics.median(self.small[name])


@step
def add(x: int) -> int:
    """As little as a step can do."""
    return x + 1


@pipeline
def many(salt: int) -> None:
    """Steps that do not depend on each other."""
    for number in range(STEPS):
        add(salt * STEPS + number)


def grown(path: Path, events: int, seed: int = 0) -> None:
    """Make a store with a history of so many events."""
    store = open_store(path)
    grow(store, History(seed).moments(events), _MOMENTS_EACH)
    store.close()


def step_costs(path: Path) -> dict[str, float]:
    """Seconds for a step executed, a step from the cache, and an event of a history appended, all durable."""
    with lineal.open(path) as client:
        many(next(_salts))
        salt = next(_salts)
        executed = seconds(lambda: many(salt)) / STEPS
        cached = statistics.median(seconds(lambda: many(salt)) for _ in range(3)) / STEPS
        moments = list(History(1000 + salt).moments(APPENDS))
        appended = seconds(lambda: grow(client.store, moments)) / sum(len(moment.events) for moment in moments)
    return {"a step, executed": executed, "a step, cached": cached, "an event, appended singly": appended}


def questions(past: Past, executed: StepCompleted) -> Mapping[str, Callable[[], object]]:
    """What people ask of a store, as of any point; an execution is looked for in the cache."""
    reader = past._reader
    fingerprint = key("f", executed.fingerprint)

    def cached_result() -> object:
        found = reader.rows(Cache.name).latest(fingerprint)
        return None if found is None else reader.event(found.seq).event

    return {
        "the last ten runs": lambda: [(run.name, run.status) for run in past.runs(limit=10)],
        "one version of an artifact": lambda: past.artifact("step-0-of-0").version,
        "lineage of one artifact": lambda: len(past.artifact("step-1-of-0").lineage()),
        "a cached result": cached_result,
    }


def question_costs(path: Path) -> dict[str, float]:
    """Seconds for each question, as of now and as of half the log; the median of many times."""
    with lineal.open(path) as client:
        costs = {}
        for when, past in (("now", client), ("then", client.as_of(client.head.seq // 2))):
            asked = questions(past, _some_execution(past))
            for name, ask in asked.items():
                ask()
                costs[f"{name}, {when}"] = statistics.median(seconds(ask) for _ in range(ASKED))
    return costs


def _some_execution(past: Past) -> StepCompleted:
    events = (recorded.event for recorded in past.events(past.head.seq // 2))
    return next(event for event in events if isinstance(event, StepCompleted))


def measured(large: Path, folder: Path, turns: int = TURNS) -> Costs:
    """Measure in a store that has grown, and in copies of one that has not, in turns."""
    costs = Costs({}, {})
    small = folder / "small"
    grown(small, SMALL_EVENTS)
    for turn in range(turns):
        copy = Path(shutil.copytree(small, folder / f"small-{turn}"))
        for times, path in ((costs.small, copy), (costs.large, large)):
            for name, taken in {**step_costs(path), **question_costs(path)}.items():
                times.setdefault(name, []).append(taken)
        shutil.rmtree(copy)
    return costs


def show(costs: Costs, events: int) -> None:
    """Print what each costs beside what it costs in a new store."""
    rows = [
        (name, *map(_median, (costs.small[name], costs.large[name])), f"{costs.ratio(name):.2f} ×")
        for name in costs.small
    ]
    title = f"Growth   budgets: a step {BUDGET} ×, a question 1 ms"
    show_table(title, ("", f"at {SMALL_EVENTS:,} events", f"at {events:,}", ""), rows)


def _median(times: Sequence[float]) -> str:
    return shown(statistics.median(times))


def show_sizes(path: Path) -> None:
    """Print what the log takes on the disk for an event."""
    store = open_store(path, read_only=True)
    events = store.head().seq
    stored_bytes = sum(len(value) for _, value in store.log.stored())
    store.close()
    print(
        f"  {disk_bytes(path) / events:,.0f} bytes an event on the disk, of which {stored_bytes / events:,.0f} are it"
    )


def main() -> None:
    """Print the comparison."""
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large"
        grown(large, LARGE_EVENTS)
        show(measured(large, Path(folder)), LARGE_EVENTS)
        show_sizes(large)


if __name__ == "__main__":
    main()
