"""The verb ``logs``."""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..history import History, LogLine, RunView, StepRunView
from .layout import Row
from .meant import RUN_HELP, run_meant
from .outcome import ExitCode
from .output import Output, stdout_is_gone
from .past import add_as_of, opened_history
from .records import log_record

if TYPE_CHECKING:
    from . import kinds

EXAMPLE = "lineal logs training-1/load"
COLUMNS = ("time", "step", "from", "text")
_RUNNING = "running"
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument(
        "reference",
        metavar="RUN[/STEP]",
        help=f"{RUN_HELP}; or one step of it: where it was reused, what it said then",
    )
    parser.add_argument(
        "--level", choices=_LEVELS, help="only logging records and warnings from this level up, nothing printed"
    )
    parser.add_argument(
        "-f",
        "--follow",
        action="store_true",
        help="go on with the lines that come, until the run or the step has ended",
    )
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """List what was printed and logged."""
    with opened_history(options) as history:
        if options.follow and (following := _followed(history, options)) is not None:
            output.live(following, COLUMNS, _row)
            return ExitCode.OK
        run, step = _named(history, options.reference)
        steps = list(run.steps.values()) if step is None else [run.get_step(step)]
        lines = (_lines(one, is_alone=step is not None) for one in steps)
        merged = heapq.merge(*lines, key=lambda line: line[1].time)
        shown = (log_record(step, line) for step, line in merged if _is_wanted(line, options))
        output.listing(shown, COLUMNS, _row)
    return ExitCode.OK


def _followed(history: History, options: argparse.Namespace) -> Iterator[Iterable[kinds.LogLine]] | None:
    """The lines of a run that goes on; None of one that has ended, or of a step that has."""
    run, step = _named(history, options.reference)
    asked_of: RunView | StepRunView = run if step is None else run.steps.get(step, run)
    if run.status != _RUNNING or asked_of.status != _RUNNING:
        return None
    lines = history.follow_logs(run, step, until=stdout_is_gone)
    return ((log_record(said_by, line),) for said_by, line in lines if _is_wanted(line, options))


def _named(history: History, reference: str) -> tuple[RunView, str | None]:
    """A run, and the one of its steps that is meant, if only one is."""
    run, slash, step = reference.rpartition("/")
    return run_meant(history, run if slash else reference), step if slash else None


def _is_wanted(line: LogLine, options: argparse.Namespace) -> bool:
    return options.level is None or (line.level or 0) >= _LEVELS[options.level]


def _lines(step: StepRunView, *, is_alone: bool) -> Iterator[tuple[StepRunView, LogLine]]:
    """What a step said; where it is asked for alone and was reused, what it said when it executed."""
    said_by = (step.reuses or step) if is_alone else step
    return ((said_by, line) for line in said_by.logs)


def _row(line: kinds.LogLine) -> Row:
    said_by = line["stream"] if line["level"] is None else f"{line['level']} {line['logger']}"
    return f"{line['time'][:23]}Z", f"{line['run_name']}/{line['step']}", said_by, line["text"]
