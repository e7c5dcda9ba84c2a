"""The verb ``steps``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import chain, islice

from ..history import History, StepRunView
from .kinds import Step
from .labelled import with_labels
from .layout import Row
from .meant import RUN_HELP, run_meant
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, count, opened_history
from .records import step_record
from .units import duration_text

EXAMPLE = "lineal steps training-1"
_COLUMNS = ("step", "status", "took", "outputs", "reuses")
_STATUSES = ("running", "completed", "cached", "failed", "skipped", "cancelled", "interrupted")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("run", metavar="RUN", nargs="?", help=f"{RUN_HELP}; by default all runs, newest first")
    parser.add_argument("--status", choices=_STATUSES, help="only steps in this status")
    parser.add_argument("--step", metavar="NAME", help="only steps of this name")
    parser.add_argument("--limit", metavar="N", type=count, help="at most so many")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """List steps."""
    with opened_history(options) as history:
        found = (
            step_record(step)
            for step in _steps(history, options.run)
            if options.step in (None, step.name) and options.status in (None, step.status)
        )
        output.listing(islice(found, options.limit), *with_labels(history, "step", _COLUMNS, _row))
    return ExitCode.OK


def _steps(history: History, run: str | None) -> Iterator[StepRunView]:
    runs = history.runs() if run is None else iter([run_meant(history, run)])
    return chain.from_iterable(one.steps.values() for one in runs)


def _row(step: Step) -> Row:
    return (
        f"{step['run_name']}/{step['name']}",
        step["status"],
        duration_text(step["duration_s"]),
        ", ".join(step["outputs"].values()) or "-",
        step["reuses_run_name"] or "-",
    )
