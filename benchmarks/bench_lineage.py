"""What does lineage cost: a level of it in a long history, and a closure of 100,000 artifact versions and step runs?

Processor time, as a wait on a busy machine says nothing.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from histories import History, Moment, grow, small_blob
from measure import show_table, shown

import lineal
from lineal.cas import BlobKind, Manifest, digest_of
from lineal.events import catalogue as facts
from lineal.events.ids import Fingerprint, RunId

EVENTS = int(os.environ.get("LINEAL_BENCH_EVENTS", "200000"))
STEPS = 50_000
_STEPS_EACH = 100
_PROCESS = facts.Process("host", "boot", 1, 1)


def woven(steps: int) -> Iterator[Moment]:
    """Runs whose every step takes what the step before it gave, and what one some way back gave."""
    blob = small_blob(b"graph, environment and code")
    contents: list[Any] = []
    run = RunId(bytes(16))
    for number in range(steps):
        if number % _STEPS_EACH == 0:
            run = RunId(digest_of(b"run %d" % number)[:16])
            yield Moment((facts.RunStarted(run, "woven", blob.digest, (), None, _PROCESS, blob.digest),), (blob,))
        taken = [place for place in (number - 1, number - 13) if place >= 0]
        inputs = tuple(facts.Input(f"x{place}", contents[place], f"thread-{place % 50}", None, None) for place in taken)
        value = small_blob(Manifest("bench/1", "builtins.int", number).encoded, BlobKind.MANIFEST)
        contents.append(value.digest)
        fingerprint = Fingerprint(digest_of(b"cause %d" % number))
        output = facts.Output("output", f"thread-{number % 50}", value.digest, "bench/1", "builtins.int", 9, {})
        done = facts.StepCompleted(
            run, f"step-{number % _STEPS_EACH}", "m.f", fingerprint, blob.digest, inputs, (output,), 1, 1, None
        )
        yield Moment((done,), (value, blob))


def cpu(ask: Callable[[], Any], turns: int = 5) -> tuple[float, Any]:
    """The least processor time of some turns, in seconds, and the answer."""
    least, answer = float("inf"), None
    for _ in range(turns):
        answer = None  # Taking it down is not the next one's cost.
        begun = time.process_time()
        answer = ask()
        least = min(least, time.process_time() - begun)
    return least, answer


def closures(client: lineal.Client) -> None:
    """Measure whole closures, there and back."""
    grow(client.store, woven(STEPS), 500)
    first, last = client.artifact("thread-0@1"), client.artifact(f"thread-{(STEPS - 1) % 50}")
    _ = first.consumers  # Catches the index up.
    rows = []
    for name, ask in {
        "upstream": last.lineage,
        "downstream": first.downstream,
        "path": lambda: first.path_to(last),
        "upstream, as of the middle": client.as_of(client.head.seq // 2).artifact("thread-49").lineage,
    }.items():
        taken, found = cpu(ask)
        rows.append((name, f"{len(found):,}", f"{len(found.steps):,}", shown(taken)))
    show_table("Closures; budget 1 s for 100,000 of both", ("", "versions", "step runs", "processor time"), rows)


def levels(client: lineal.Client) -> None:
    """Measure levels of some artifacts' lineage in a busy history."""
    grow(client.store, History(1).moments(EVENTS), 500)
    dice = random.Random(3)
    every = client.artifacts()
    _ = every[0].latest.consumers
    rows = []
    for depth in (1, 2, 4, None):
        some = [artifact.latest for artifact in dice.sample(every, 50)]
        older = [artifact.versions[-1] for artifact in dice.sample(every, 50)]
        up, _ = cpu(lambda some=some, depth=depth: [one.lineage(depth=depth) for one in some])
        down, _ = cpu(lambda older=older, depth=depth: [one.downstream(depth=depth) for one in older])
        rows.append((str(depth or "all"), shown(up / 50), shown(down / 50)))
    title = f"Lineage in {client.head.seq:,} events, mean of 50; budget 1 ms a level"
    show_table(title, ("levels", "upstream", "downstream of oldest"), rows)


def main() -> None:
    """Print the costs."""
    for measured in (closures, levels):
        with tempfile.TemporaryDirectory() as folder, lineal.open(Path(folder) / "store") as client:
            measured(client)


if __name__ == "__main__":
    main()
