"""The verb ``runs``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .labelled import with_labels
from .layout import Row
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, count, opened_history
from .records import run_record
from .units import NOTHING, duration_text, time_text

if TYPE_CHECKING:
    from .kinds import Run, StepCounts

EXAMPLE = "lineal runs --pipeline training --status completed --limit 5"
COLUMNS = ("run", "status", "pipeline", "started", "duration", "steps")
_STATUSES = ("running", "completed", "failed", "cancelled", "interrupted")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    parser.add_argument("--status", choices=_STATUSES, help="only runs in this status")
    parser.add_argument("--limit", metavar="N", type=count, help="at most so many, the newest")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """List runs."""
    with opened_history(options) as history:
        if options.pipeline is not None:
            history.pipeline(options.pipeline)
        runs = history.runs(options.pipeline, status=options.status, limit=options.limit)
        output.listing(map(run_record, runs), *with_labels(history, "run", COLUMNS, run_row))
    return ExitCode.OK


def run_row(run: Run) -> Row:
    """A run's row under `COLUMNS`."""
    return (
        run["name"],
        run["status"],
        run["pipeline"],
        time_text(run["started"]),
        duration_text(run["duration_s"]),
        counts_text(run["steps"]),
    )


def counts_text(counts: StepCounts) -> str:
    """The counts that are not zero, in words."""
    return ", ".join(f"{number} {state}" for state, number in counts.items() if number) or NOTHING
