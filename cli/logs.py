"""The verb ``logs``."""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..history import LogLine, RunView, StepRunView
from .layout import Row
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history
from .records import log_record

if TYPE_CHECKING:
    from . import kinds

EXAMPLE = "lineal logs training-1/load"
COLUMNS = ("time", "step", "from", "text")
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument(
        "reference", metavar="RUN[/STEP]", help="a run, or one step of it: where it was reused, what it said then"
    )
    parser.add_argument(
        "--level", choices=_LEVELS, help="only logging records and warnings from this level up, nothing printed"
    )
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """List what was printed and logged."""
    with opened_history(options) as history:
        kind = "step" if "/" in options.reference else "run"
        found = history.find(options.reference, kind)
        steps = list(found.steps.values()) if isinstance(found, RunView) else [found]
        least = 0 if options.level is None else _LEVELS[options.level]
        lines = (_lines(step, is_alone=kind == "step") for step in steps if isinstance(step, StepRunView))
        merged = heapq.merge(*lines, key=lambda line: line[1].time)
        shown = (log_record(step, line) for step, line in merged if not least or (line.level or 0) >= least)
        output.listing(shown, COLUMNS, _row)
    return ExitCode.OK


def _lines(step: StepRunView, *, is_alone: bool) -> Iterator[tuple[StepRunView, LogLine]]:
    """What a step said; where it is asked for alone and was reused, what it said when it executed."""
    said_by = (step.reuses or step) if is_alone else step
    return ((said_by, line) for line in said_by.logs)


def _row(line: kinds.LogLine) -> Row:
    said_by = line["stream"] if line["level"] is None else f"{line['level']} {line['logger']}"
    return f"{line['time'][:23]}Z", f"{line['run_name']}/{line['step']}", said_by, line["text"]
