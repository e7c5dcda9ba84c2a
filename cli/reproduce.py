"""The verb ``reproduce``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from ..pipeline.repeating.reproduce import reproduce
from ..pipeline.repeating.reproduction import OutputCheck, StepCheck, leaf_text
from ..pipeline.repeating.reproduction import Reproduction as FoundReproduction
from .importing import add_script, make_importable, steps_on_stderr
from .layout import Fields, Row, Section, Table
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write
from .reproduction_kinds import ReproducedOutput, ReproducedStep, Reproduction
from .units import ID_DIGITS, NOTHING

EXAMPLE = "lineal reproduce training-1"
_COLUMNS = ("step", "verdict", "output", "then", "again", "where, or why")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Execute each step of a run again, from the inputs that it had, and compare what it gives with what it gave, "
        "output by output. The exit code is 0 only if all is the same."
    )
    parser.add_argument("run", metavar="RUN[/STEP]", help="the run: its name, id, or beginning of its id; or one step")
    parser.add_argument(
        "--code",
        choices=("recorded", "current"),
        default="recorded",
        help="the code that ran then, which is the default, or that of today, from the working directory and what is "
        "installed",
    )
    add_script(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Execute a run's steps again, and compare."""
    with opened_to_write(options):
        if options.code == "current":
            make_importable(options)
        with steps_on_stderr():
            found = reproduce(options.run, code=options.code)
        output.document(_record(found), _sections)
    return ExitCode.OK if found.is_same else ExitCode.ERROR


def _record(found: FoundReproduction) -> Reproduction:
    return {
        "kind": "reproduction",
        "v": 1,
        "run": str(found.run),
        "run_name": found.run_name,
        "is_same": found.is_same,
        "runs": list(found.runs),
        "steps": [_step(step) for step in found.steps],
        "environment": [difference._asdict() for difference in found.environment],
    }


def _step(step: StepCheck) -> ReproducedStep:
    return {
        "step": step.step,
        "verdict": step.verdict,
        "why": step.why,
        "outputs": [_output(one) for one in step.outputs],
    }


def _output(one: OutputCheck) -> ReproducedOutput:
    return {
        "output": one.output,
        "is_same": one.is_same,
        "then": str(one.then),
        "again": str(one.again),
        "where": [leaf_text(leaf) for leaf in one.leaves],
    }


def _sections(record: Reproduction) -> Iterator[Section]:
    environment = [f"{one['what']} {one['old'] or NOTHING} → {one['new'] or NOTHING}" for one in record["environment"]]
    yield Fields(
        "",
        [
            ("run", f"{record['run_name']}, {record['run']}"),
            ("outcome", "everything came out as it was" if record["is_same"] else "not everything came out as it was"),
            ("executed in", ", ".join(record["runs"]) or NOTHING),
            ("environment", ", ".join(environment) or "the same"),
        ],
    )
    yield Table("steps", _COLUMNS, (row for step in record["steps"] for row in _rows(step)))


def _rows(step: ReproducedStep) -> Iterator[Row]:
    if not step["outputs"]:
        yield step["step"], step["verdict"], NOTHING, NOTHING, NOTHING, step["why"] or NOTHING
    for one in step["outputs"]:
        told = NOTHING if one["is_same"] else "; ".join([*filter(None, [step["why"]]), *one["where"]]) or NOTHING
        then, again = one["then"][:ID_DIGITS], one["again"][:ID_DIGITS]
        yield step["step"], step["verdict"], one["output"], then, again, told
