"""The verb ``plan``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..pipeline.deciding.forecast import Forecast as Foreseen
from .importing import add_parameters, imported, steps_on_stderr
from .layout import Diff, Fields, Section, Table
from .outcome import ExitCode
from .output import Output
from .past import opened
from .records import gap_record
from .units import NOTHING, duration_text, size_text
from .why import cause_record, gaps_section

if TYPE_CHECKING:
    from .why_kinds import Forecast, ForeseenStep

EXAMPLE = "lineal plan flows:training --param lr=0.2"
_COLUMNS = ("step", "verdict", "expected", "why")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Tell which steps a pipeline would run now, why, and what that is expected to take by its history. Nothing "
        "is run or recorded, but the pipeline's code is imported, and its function called to see which steps it has."
    )
    parser.add_argument("target", metavar="MODULE:PIPELINE", help="the pipeline: module:name, or file.py:name")
    add_parameters(parser, "a parameter of the pipeline")
    parser.add_argument("--diff", action="store_true", help="show how the source of changed code differs, too")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Foresee a run."""
    with opened(options), steps_on_stderr():
        forecast = imported(options.target).plan(**dict(options.param))
    output.document(_record(forecast), _sections_with_diffs if options.diff else _sections)
    return ExitCode.OK


def _record(forecast: Foreseen) -> Forecast:
    told = forecast.to_dict()
    steps = [
        {**step, "reasons": list(map(cause_record, one.reasons)), "gaps": list(map(gap_record, one.gaps))}
        for one, step in zip(forecast, told["steps"], strict=True)
    ]
    return {"kind": "forecast", "v": 1, **told, "steps": steps}  # type: ignore[typeddict-item]


def _sections(forecast: Forecast) -> Iterator[Section]:
    rows = [(step["name"], step["verdict"], _expected(step), step["why"]) for step in forecast["steps"]]
    yield Table("", _COLUMNS, rows)
    yield Fields("", [("plan", forecast["summary"])])
    yield gaps_section(gap for step in forecast["steps"] for gap in step["gaps"])


def _sections_with_diffs(forecast: Forecast) -> Iterator[Section]:
    yield from _sections(forecast)
    diffs = {cause["what"]: cause["diff"] for step in forecast["steps"] for cause in step["reasons"] if cause["diff"]}
    yield from (Diff(symbol, diff) for symbol, diff in diffs.items())


def _expected(step: ForeseenStep) -> str:
    took = step["expected"]
    if took is None or step["verdict"] == "hit":
        return NOTHING
    return f"{duration_text(took['duration_s'])}, {size_text(took['size_bytes'])}"
