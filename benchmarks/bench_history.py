"""What does a question to a long history cost, now and as of any past moment? The budget is a millisecond."""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from measure import seconds, show_table, shown

import lineal
from lineal.cas import Digest, digest_of
from lineal.cas.batch import Batch
from lineal.events import catalogue as facts
from lineal.events.catalogue import Event
from lineal.events.ids import Fingerprint, RunId
from lineal.history import History

EVENTS = int(os.environ.get("LINEAL_BENCH_EVENTS", "200000"))
STEPS, ARTIFACTS, TURNS = 4, 500, 300
LABELLED_EVERY, PINS = 20, 20
_RUNS_AT_ONCE = 100
_PROCESS = facts.Process("host", "boot", 1, 1)


def run_events(number: int, batch: Batch) -> Iterator[Event]:
    """One run of a chain of steps: each gives a version of one of many artifacts, and the last fails now and then."""
    run, blob = run_id(number), batch.put(b"graph, environment and code")
    yield facts.RunStarted(run, f"pipeline-{number % 20}", blob, (), None, _PROCESS, blob)
    taken: tuple[facts.Input, ...] = ()
    for step in range(STEPS):
        name, function, fingerprint = f"step-{step}", f"flow.step_{step}", fingerprint_of(number, step)
        yield facts.StepStarted(run, name, function, fingerprint, taken, blob)
        ended = (run, name, function, fingerprint, blob, taken)
        if step == STEPS - 1 and number % 100 == 0:
            yield facts.StepFailed(*ended, facts.Failure("ValueError", "no", ""), 1, 1, None)
            yield facts.RunFailed(run, name, "no")
            return
        content, artifact = batch.put(b"value %d %d" % (number, step)), artifact_of(number, step)
        output = facts.Output("output", artifact, content, "bench/1", "numpy.ndarray", 1000, {"shape": [number]})
        yield facts.StepCompleted(*ended, (output,), 1, 1, None)
        taken = (facts.Input("x", content, artifact, None, name),)
    yield facts.RunCompleted(run)
    if number % LABELLED_EVERY == 0:
        yield from _labels(number, facts.Subject("version", artifact, content))


def _labels(number: int, version: facts.Subject) -> Iterator[Event]:
    """What somebody says of what a run gave."""
    content = Digest(version.id)
    yield facts.Tagged(version, ("candidate", f"batch-{number}"))
    yield facts.Annotated(version, {"accuracy": number, f"key-{number}": "somebody"})
    yield facts.AliasSet(version.name, "production", content)
    yield facts.PinAdded(f"pin-{number % PINS}", content)


def run_id(number: int) -> RunId:
    """The run of this number."""
    return RunId(digest_of(b"run %d" % number)[:16])


def fingerprint_of(number: int, step: int) -> Fingerprint:
    """What determines a step run."""
    return Fingerprint(digest_of(b"cause %d %d" % (number, step)))


def artifact_of(number: int, step: int) -> str:
    """What a step run gives a version of."""
    return f"artifact-{(number * STEPS + step) % ARTIFACTS}"


def fill(client: lineal.Client, events: int) -> int:
    """Append about so many events; tell how many runs that are."""
    number = appended_events = 0
    while appended_events < events:
        with client.store.blobs.batch() as batch:
            appended = [event for one in range(number, number + _RUNS_AT_ONCE) for event in run_events(one, batch)]
            client.store.append(appended, batch.publish())
        appended_events += len(appended)
        number += _RUNS_AT_ONCE
    client.flush()
    return number


def questions(runs: int, content: str) -> dict[str, Callable[[History, random.Random], Any]]:
    """What is asked, by what it is called; of runs of the first half, so that most pasts know them."""
    first = runs // 2
    labelled = first // LABELLED_EVERY

    def one_labelled(dice: random.Random) -> int:
        return dice.randrange(1, labelled) * LABELLED_EVERY

    def step_run(history: History, dice: random.Random) -> Any:
        return history.run(run_id(dice.randrange(first))).get_step("step-2")

    return {
        "last 10 runs, with name and status": lambda history, _: [
            (one.name, one.status) for one in history.runs(limit=10)
        ],
        "last 10 runs that failed": lambda history, _: list(history.runs(status="failed", limit=10)),
        "last 10 runs of a pipeline": lambda history, _: list(history.runs("pipeline-3", limit=10)),
        "running runs": lambda history, _: list(history.runs(status="running")),
        "run by id": lambda history, dice: history.run(run_id(dice.randrange(first))).name,
        "run by the beginning of its id": lambda history, dice: (
            history.run(str(run_id(dice.randrange(first)))[:12]).name
        ),
        "run by name": lambda history, dice: history.run(f"pipeline-3-{dice.randrange(1, first // 20)}").status,
        "steps of a run, with status": lambda history, dice: [
            one.status for one in history.run(run_id(dice.randrange(first))).steps.values()
        ],
        "one step with inputs and outputs": lambda history, dice: (
            (one := step_run(history, dice)).inputs,
            one.outputs,
            one.duration_s,
        ),
        "artifact, newest version": lambda history, _: history.artifact("artifact-7").version,
        "artifact by number": lambda history, _: history.artifact("artifact-7@5").size_bytes,
        "artifact by the beginning of its digest": lambda history, _: (
            history.artifact(f"artifact-0@{content[:10]}").version
        ),
        "artifact by alias": lambda history, _: history.artifact(f"{artifact_of(20, STEPS - 1)}@production").version,
        "what has a tag": lambda history, dice: history.tagged(f"batch-{one_labelled(dice)}"),
        "what has a key of metadata": lambda history, dice: history.annotated(f"key-{one_labelled(dice)}"),
        "tags and metadata of one version": lambda history, _: (
            (one := history.artifact(f"{artifact_of(20, STEPS - 1)}@production")).tags,
            one.metadata,
        ),
        "aliases of one artifact": lambda history, _: history.artifact(artifact_of(20, STEPS - 1)).artifact.aliases,
        "a step run by its reference": lambda history, dice: (
            history.step_run(f"{run_id(dice.randrange(first))}/step-1").status
        ),
        "parameters of a run": lambda history, dice: history.run(run_id(dice.randrange(first))).parameters,
        "producers of one artifact": lambda history, _: history.artifact("artifact-6").producers,
        "newest version of an artifact": lambda history, _: history.artifact("artifact-7").artifact.latest.version,
        "lineage of one artifact": lambda history, _: history.artifact("artifact-7").lineage(),
        "consumers of one artifact": lambda history, _: history.artifact("artifact-6").consumers,
        "was it evicted": lambda history, _: history.artifact("artifact-7").is_evicted,
        "cached result": lambda history, dice: history.reusable(fingerprint_of(dice.randrange(first), 1)),
        "pipeline version": lambda history, _: history.pipeline("pipeline-3").versions[0].version,
        "pins, of which there are 20": lambda history, _: history.pins(),
        "events of one run": lambda history, dice: list(history.events(run=run_id(dice.randrange(first)))),
    }


def timed(ask: Callable[[random.Random], Any]) -> tuple[float, float]:
    """The median and the 99th percentile of a question's time, in seconds; the first one warms up."""
    dice = random.Random(7)
    ask(dice)
    taken: list[float] = []
    for _ in range(TURNS):
        begun = time.perf_counter()
        ask(dice)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken), statistics.quantiles(taken, n=100)[-1]


def measured(client: lineal.Client, runs: int) -> None:
    """Ask everything, now and as of past moments, and print what it took."""
    head, half = client.head.seq, client.head.seq // 2
    began_s = next(client.events()).time_us / 1e6
    span_s = time.time() - began_s
    content = str(client.artifact("artifact-0@1").content)
    rows = []
    for name, ask in questions(runs, content).items():
        now = timed(lambda dice, ask=ask: ask(client, dice))
        past = timed(lambda dice, ask=ask: ask(client.as_of(dice.randrange(half, head)), dice))
        rows.append((name, *map(shown, (*now, *past))))

    def at_a_time(dice: random.Random) -> Any:
        return client.as_of(datetime.fromtimestamp(began_s + 1 + dice.random() * span_s, UTC))

    rows.append(("as of a time", "", "", *map(shown, timed(at_a_time))))
    rows.append(("as of a run", "", "", *map(shown, timed(lambda dice: client.as_of(run_id(dice.randrange(runs)))))))
    show_table(
        f"Questions to {head:,} events, median and 99th percentile; budget 1 ms",
        ("question", "now", "p99", "as of a past moment", "p99"),
        rows,
    )


def main() -> None:
    """Print the costs."""
    with tempfile.TemporaryDirectory() as folder, lineal.open(Path(folder) / "store") as client:
        begun = time.perf_counter()
        runs = fill(client, EVENTS)
        print(f"\n{client.head.seq:,} events appended in {time.perf_counter() - begun:.1f} s")
        first = seconds(lambda: client.as_of(datetime.now(UTC)))
        print(f"the first look by time, which reads all times: {shown(first)}")
        measured(client, runs)
        types = seconds(lambda: sum(1 for _ in client.events(types="run.failed")))
        everything = seconds(lambda: sum(1 for _ in islice(client.events(), 100_000)))
        print(f"events of one type: {client.head.seq / types:,.0f} events/s; all: {100_000 / everything:,.0f} events/s")


if __name__ == "__main__":
    main()
