"""How many rows a second does each table give, in how much memory, and how fast is a projection of a user folded?"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from measure import MEMORY_FILE, MIB, in_child, shown

import lineal
from lineal.cas import Digest
from lineal.events import catalogue as facts
from lineal.events.catalogue import Event, StepCompleted
from lineal.events.ids import Fingerprint, RunId, StepRunId
from lineal.events.projections import Projection, Recorded, RowWriter, key

RUNS, STEPS = 20_000, 10
BUDGET_ROWS_PER_S = 500_000
OF_RUNS = (
    "events",
    "payloads",
    "references",
    "runs",
    "parameters",
    "steps",
    "uses",
    "productions",
    "versions",
    "computed_metadata",
    "cache",
    "tags",
    "metrics",
    "step_completed",
    "step_started",
    "run_started",
    "run_completed",
)
OF_TYPES = ("step_completed", "step_started", "run_completed")
"""Tables of a type of event, for which the whole log is passed over."""
OF_LABELS = (
    "aliases",
    "metadata",
    "pins",
    "releases",
    "evictions",
    "visualizations",
    "deletions",
    "code",
    "equivalences",
    "claims",
)
"""The others have few rows in any store."""
PROCESS = facts.Process("host", "boot", 1, 1)


class Counted(Projection):
    """What the page on projections shows, about."""

    name = "counted"
    events = (StepCompleted,)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        step = recorded.event
        assert isinstance(step, StepCompleted)
        times, all_us = rows.latest(key("f", step.function)) or [0, 0]
        rows.add(key("f", step.function), [times + 1, all_us + step.duration_us])


def _run(rng: random.Random, contents: list[Digest]) -> list[Event]:
    """A run of which a third is served from the cache, the rest having two inputs and an output each."""
    run = RunId.new()
    parameters = tuple(facts.Input(name, contents[2], None, repr(rng.random()), None) for name in ("lr", "decay"))
    events: list[Event] = [facts.RunStarted(run, "training", contents[0], parameters, None, PROCESS, contents[1])]
    for number in range(STEPS):
        step, fingerprint, code = f"step_{number}", Fingerprint(rng.randbytes(32)), contents[number]
        taken = facts.Input("data", rng.choice(contents), f"artifact-{number}", None, f"step_{number - 1}")
        inputs = (taken, facts.Input("lr", contents[2], None, "0.1", None))
        metadata = {"shape": [rng.randrange(10**6), 3], "dtype": "float64"}
        content = rng.choice(contents)
        given = facts.Output("output", f"artifact-{number + 1}", content, "numpy/1", "numpy.ndarray", 10_000, metadata)
        named, seen = (run, step, f"study.{step}", fingerprint), (time.time_ns() // 1000, rng.randrange(10**6))
        if number % 3 == 0:
            events.append(facts.StepReused(*named, code, inputs, (given,), StepRunId(run, step), *seen))
        else:
            used = facts.Resources(seen[1], 10**8)
            events.append(facts.StepStarted(*named, inputs, code))
            events.append(facts.StepCompleted(*named, code, inputs, (given,), *seen, None, None, used))
    subject = facts.Subject("run", "", run)
    point = facts.MetricPoint("loss", 1, 1, time.time_ns() // 1000, rng.random())
    column = facts.MetricColumn("loss", (point.step,), (point.time_us,), (point.value,))
    logged = facts.MetricsLogged(subject, (point,), (column,))
    return [*events, facts.Tagged(subject, ("nightly", "candidate")), logged, facts.RunCompleted(run)]


def _said(rng: random.Random, contents: list[Digest]) -> list[Event]:
    """What people and programs say around a run."""
    subject = facts.Subject("run", "", RunId.new())
    some, others, number = rng.choice(contents), Digest(rng.randbytes(32)), rng.randrange(10**9)
    fingerprint, same_as = Fingerprint(rng.randbytes(32)), Fingerprint(rng.randbytes(32))
    shown = facts.StoredVisualization("plot", "image/png", some, 1000)
    noted = {"accuracy": rng.random(), "by": f"somebody-{number}", "epochs": number}
    return [
        facts.Annotated(subject, noted),
        facts.AliasSet(f"artifact-{number}", "best", some),
        facts.PinAdded(f"pin-{number}", some),
        facts.ContentsReleased((others,), "keep the newest", 1),
        facts.ContentsEvicted((others,)),
        facts.ContentVisualized(others, (shown,)),
        facts.CodeCaptured(some, f"study.function_{number}"),
        facts.EquivalenceDeclared(fingerprint, same_as, "only a comment"),
        facts.FingerprintClaimed(fingerprint, RunId.new(), "step_1"),
        facts.Deleted((facts.Subject("version", f"artifact-{number}", some),), 1, "a mistake"),
    ]


def _fill(path: Path, made: Callable[[random.Random, list[Digest]], list[Event]] = _run) -> int:
    rng = random.Random(0)
    with lineal.open(path) as client:
        store = client.store
        with store.blobs.batch() as batch:
            contents = [batch.put(b"content %d" % number) for number in range(1000)]
            store.append([], batch.publish()).wait()
        for _ in range(RUNS):
            store.append(made(rng, contents))
        store.flush()
        return client.head.seq


def _own_memory_bytes() -> int:
    """What this process has resident of its own, without the map of the log."""
    (line,) = [one for one in MEMORY_FILE.read_text(encoding="ascii").splitlines() if one.startswith("RssAnon")]
    return int(line.split()[1]) * 1024


def _read(path: Path, name: str) -> tuple[int, float, float, int]:
    """Rows, the fastest of three readings in seconds of wall-clock and CPU, and memory; in a process of its own."""
    with lineal.open(path, read_only=True) as client:
        next(iter(client.tables["events"].batches()))
        before_bytes, most_bytes, rows = _own_memory_bytes(), 0, 0
        taken: list[tuple[float, float]] = []
        for _ in range(3):
            begun_s, begun_cpu_s, rows = time.perf_counter(), time.process_time(), 0
            for batch in client.tables[name].batches():
                rows += batch.num_rows
                most_bytes = max(most_bytes, _own_memory_bytes())
            taken.append((time.perf_counter() - begun_s, time.process_time() - begun_cpu_s))
        return rows, min(one for one, _ in taken), min(one for _, one in taken), most_bytes - before_bytes


def _fold(path: Path) -> float:
    with lineal.open(path) as client:
        begun_s = time.perf_counter()
        client.projected(Counted())
        return time.perf_counter() - begun_s


def _show(path: Path, events: int, names: Sequence[str]) -> None:
    log_bytes = os.stat(path / "log" / "data.mdb").st_size
    print(f"\nTables of {events:,} events, {log_bytes / MIB:,.0f} MiB   budget {BUDGET_ROWS_PER_S:,} rows/s")
    for name in names:
        rows, taken_s, cpu_s, extra_bytes = in_child(_read, path, name)
        note = "" if rows / taken_s >= BUDGET_ROWS_PER_S else "   below the budget"
        if name in OF_TYPES:
            note += f"   {events / taken_s:,.0f} events/s passed over"
        print(
            f"  {name:<18}{rows:>10,} rows{rows / taken_s:>12,.0f} rows/s{rows / cpu_s:>12,.0f} by CPU time"
            f"{extra_bytes / MIB:>8,.0f} MiB{note}",
            flush=True,
        )


def main() -> None:
    """Print what each table reaches beside the budget."""
    with tempfile.TemporaryDirectory() as folder:
        path, labels = Path(folder) / "store", Path(folder) / "labels"
        _show(labels, in_child(_fill, labels, _said), OF_LABELS)
        events = in_child(_fill, path)
        _show(path, events, OF_RUNS)
        taken_s = in_child(_fold, path)
        print(f"  a projection of twenty lines, all history     {shown(taken_s):>8}   {events / taken_s:,.0f} events/s")


if __name__ == "__main__":
    main()
