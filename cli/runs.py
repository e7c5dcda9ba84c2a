"""The verb ``runs``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .labelled import with_labels
from .layout import Row
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, count, opened_history, when
from .records import run_record
from .units import NOTHING, duration_text, time_text

if TYPE_CHECKING:
    from .kinds import Run, StepCounts

EXAMPLE = "lineal runs --pipeline training --where 'duration_s < 60 and status == \"completed\"' --limit 5"
COLUMNS = ("run", "status", "pipeline", "started", "duration", "steps")
_STATUSES = ("running", "completed", "failed", "cancelled", "interrupted")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    parser.add_argument("--status", choices=_STATUSES, help="only runs in this status")
    parser.add_argument("--since", metavar="WHEN", type=when, help="only runs that began after this, as for --as-of")
    parser.add_argument("--until", metavar="WHEN", type=when, help="only runs that began up to this")
    parser.add_argument("--tag", metavar="TAG", help="only runs that have this tag")
    parser.add_argument(
        "--where", metavar="CONDITION", help="only runs that meet it, as 'params.lr > 0.1 and metrics.accuracy >= 0.9'"
    )
    parser.add_argument(
        "--order",
        metavar="BY",
        default="newest",
        help="newest, oldest, or a value, as metrics.loss; -metrics.loss begins with the greatest",
    )
    parser.add_argument("--offset", metavar="N", type=count, default=0, help="leave out so many of the first")
    parser.add_argument("--limit", metavar="N", type=count, help="at most so many, the newest")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """List runs."""
    with opened_history(options) as history:
        if options.pipeline is not None:
            history.pipeline(options.pipeline)
        runs = history.runs(
            options.pipeline,
            status=options.status,
            since=options.since,
            until=options.until,
            tag=options.tag,
            where=options.where,
            order=options.order.removeprefix("="),
            limit=options.limit,
            offset=options.offset,
        )
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
