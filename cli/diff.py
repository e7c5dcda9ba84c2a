"""The verb ``diff``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..history import FOUND_ORDER, RunDiff, StepDiff, VersionDiff
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history
from .told import runs_record, sections_of, step_record

if TYPE_CHECKING:
    from ..history.comparing.comparison import Diff

EXAMPLE = "lineal diff training-1 training-2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Tell what differs between two runs, two steps of runs, or two artifact versions. Given one of them alone, it "
        "is compared with what came before it. Nothing of a value is executed, unless that is allowed."
    )
    parser.add_argument("old", metavar="A", help=f"tried in this order: {FOUND_ORDER}")
    parser.add_argument("new", metavar="B", nargs="?", help="the same; without it, A is compared with what came before")
    parser.add_argument("--no-load", action="store_true", help="of artifacts: tell only what digests tell")
    parser.add_argument(
        "--allow-pickle", action="store_true", help="of artifacts: load values though that may execute code of theirs"
    )
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page, in which images stand side by side")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Compare."""
    with opened_history(options) as history:
        found = history.diff(options.old, options.new, load=not options.no_load, allow_pickle=options.allow_pickle)
        if options.html is not None:
            options.html.write_text(found.to_html(), encoding="utf-8")
        output.document(_record(found), lambda _: sections_of(found))
    return ExitCode.OK


def _record(found: Diff) -> dict[str, Any]:
    match found:
        case RunDiff():
            return {"kind": "run-diff", "v": 1, "runs": runs_record(found)}
        case StepDiff():
            return {"kind": "step-diff", "v": 1, "step": step_record(found)}
        case VersionDiff():
            return {"kind": "version-diff", "v": 1, **found.to_dict()}
