"""What do conditions, orders and pages cost over all that a long history has, beside a plain list of it?

Processor time, as a wait on a busy machine says nothing.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_lineage import cpu
from histories import History, grow
from measure import show_table, shown

import lineal
from lineal.history import History as Past

EVENTS = int(os.environ.get("LINEAL_BENCH_EVENTS", "200000"))
_TURNS = 3

QUESTIONS: dict[str, Callable[[Past], Any]] = {
    "all runs": lambda history: list(history.runs()),
    "of a parameter": lambda history: list(history.runs(where="params.lr > 0.5")),
    "of a metric": lambda history: list(history.runs(where="metrics.accuracy > 0.99")),
    "of both": lambda history: list(history.runs(where="params.lr > 0.1 and metrics.accuracy >= 0.9")),
    "of both, the last ten": lambda history: list(
        history.runs(where="params.lr > 0.1 and metrics.accuracy >= 0.9", limit=10)
    ),
    "of a status": lambda history: list(history.runs(where="status == 'failed'")),
    "of one pipeline, by a parameter": lambda history: list(history.runs("pipeline-3", where="params.lr > 0.5")),
    "the best ten": lambda history: list(history.runs(order="-metrics.accuracy", limit=10)),
    "a page far back": lambda history: list(history.runs(limit=10, offset=10_000)),
    "artifacts": lambda history: history.artifacts(),
    "versions with a tag": lambda history: list(history.versions(tag="candidate")),
    "versions of an artifact, by metadata": lambda history: list(
        history.versions("step-2-of-3", where="metadata.rows > 1000")
    ),
    "all versions, by metadata": lambda history: list(history.versions(where="metadata.rows > 1000")),
    "which run a metric turned in": lambda history: history.bisect("accuracy", "> 0.9", pipeline="pipeline-3").turns,
}


def main() -> None:
    """Print the costs."""
    with tempfile.TemporaryDirectory() as folder, lineal.open(Path(folder) / "store") as client:
        taken, _ = cpu(lambda: grow(client.store, History(1).moments(EVENTS), 2000), 1)
        print(f"\n{client.head.seq:,} events appended in {taken:.1f} s of processor time")
        past = client.as_of(client.head.seq // 2)
        _ = client.artifacts()[0].latest.consumers
        rows = []
        for name, ask in QUESTIONS.items():
            now, found = cpu(lambda ask=ask: ask(client), _TURNS)
            then, _ = cpu(lambda ask=ask: ask(past), _TURNS)
            rows.append((name, f"{len(found):,}", shown(now), shown(then)))
        show_table("Asking; processor time", ("", "found", "now", "as of the middle"), rows)


if __name__ == "__main__":
    main()
