"""How long until the first word: importing, and each verb that reads, on a small store?"""

from __future__ import annotations

import sys
import sysconfig
import tempfile
from pathlib import Path

from measure import in_turns, report, seconds_of_command

import lineal
from lineal import log_metric, pipeline, step

TURNS = 15


@step
def one(lr: float) -> float:
    """A step to list."""
    log_metric("accuracy", lr)
    return lr


@step
def more(number: float) -> float:
    """A step after it."""
    return number + 1


@pipeline
def single(lr: float = 0.1) -> None:
    """A run to list."""
    more(one(lr))


READING = (
    "runs",
    "runs --json",
    "runs --as-of 50",
    "runs --where params.lr>0.1",
    "show single-50",
    "show single-50/one",
    "show single.more.output",
    "steps single-50",
    "artifacts",
    "lineage single.more.output",
    "why single-50",
    "diff single-49 single-50",
    "blame single.more.output",
    "bisect accuracy>0.2",
    "log --limit 20",
    "logs single-50",
    "replay single-50 --instant",
    "info",
    "du",
    "head",
    "prove single.more.output",
    "why-kept single.more.output",
    "pins",
    "imports",
    "gc --keep-last 1 --dry-run",
)


def main() -> None:
    """Print the comparison."""
    command = str(Path(sysconfig.get_path("scripts")) / "lineal")
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "store")
        with lineal.open(store):
            for number in range(50):
                single(lr=number / 100)
        python = [sys.executable, "-P", "-c"]
        started = {
            "bare python": (*python, "pass"),
            "import lineal": (*python, "import lineal"),
            "from lineal import pipeline, step": (*python, "from lineal import pipeline, step"),
            "lineal --help": (command, "--help"),
        }
        started |= {f"lineal {words}": (command, *words.split(), "--store", store) for words in READING}
        timings = in_turns(
            {name: lambda words=words: seconds_of_command(*words) for name, words in started.items()}, TURNS
        )
    notes = dict.fromkeys(timings, "budget 120 ms") | {"import lineal": "budget 60 ms", "lineal --help": "budget 80 ms"}
    for name in ("bare python", "from lineal import pipeline, step"):
        del notes[name]
    report("Start, the interpreter's own included", timings, notes)


if __name__ == "__main__":
    main()
