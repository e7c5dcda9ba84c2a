"""The verb ``logs``."""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..history import History, LogLine, RunView, StepRunView
from .layout import Row
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
        "reference", metavar="RUN[/STEP]", help="a run, or one step of it: where it was reused, what it said then"
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
        kind = "step" if "/" in options.reference else "run"
        found = history.find(options.reference, kind)
        steps = list(found.steps.values()) if isinstance(found, RunView) else [found]
        lines = (_lines(step, is_alone=kind == "step") for step in steps if isinstance(step, StepRunView))
        merged = heapq.merge(*lines, key=lambda line: line[1].time)
        shown = (log_record(step, line) for step, line in merged if _is_wanted(line, options))
        output.listing(shown, COLUMNS, _row)
    return ExitCode.OK


def _followed(history: History, options: argparse.Namespace) -> Iterator[Iterable[kinds.LogLine]] | None:
    """The lines of a run that goes on; None of one that has ended, or of a step that has."""
    reference, _, step = options.reference.partition("/")
    run = history.find(reference, "run")
    assert isinstance(run, RunView)
    if run.status != _RUNNING or (step in run.steps and run.steps[step].status != _RUNNING):
        return None
    lines = history.follow_logs(run, step or None, until=stdout_is_gone)
    return ((log_record(said_by, line),) for said_by, line in lines if _is_wanted(line, options))


def _is_wanted(line: LogLine, options: argparse.Namespace) -> bool:
    return options.level is None or (line.level or 0) >= _LEVELS[options.level]


def _lines(step: StepRunView, *, is_alone: bool) -> Iterator[tuple[StepRunView, LogLine]]:
    """What a step said; where it is asked for alone and was reused, what it said when it executed."""
    said_by = (step.reuses or step) if is_alone else step
    return ((said_by, line) for line in said_by.logs)


def _row(line: kinds.LogLine) -> Row:
    said_by = line["stream"] if line["level"] is None else f"{line['level']} {line['logger']}"
    return f"{line['time'][:23]}Z", f"{line['run_name']}/{line['step']}", said_by, line["text"]
