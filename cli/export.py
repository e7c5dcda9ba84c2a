"""The verb ``export``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import Invalid
from ..history import History, PipelineView, StepRunView, openlineage_events, prov_document, step_runs_behind
from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history
from .transfer_kinds import Exported

EXAMPLE = "lineal export --prov training.json training-1"
STDOUT = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Write what some runs did, or all that went into some artifacts, in a standard form: as a W3C PROV-JSON "
        "document, or as OpenLineage run events, one JSON object a line."
    )
    forms = parser.add_mutually_exclusive_group(required=True)
    forms.add_argument("--prov", dest="form", action="store_const", const="prov", help="as a W3C PROV-JSON document")
    forms.add_argument(
        "--openlineage", dest="form", action="store_const", const="openlineage", help="as OpenLineage run events"
    )
    parser.add_argument("file", metavar="FILE", help="where nothing is; - for stdout")
    parser.add_argument("references", metavar="REF", nargs="+", help="runs, steps as run/step, or artifact versions")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Write the document or the events."""
    with opened_history(options) as history:
        steps = _step_runs(history, options.references)
        lines = _prov(steps) if options.form == "prov" else _openlineage(steps)
        if options.file == STDOUT:
            sys.stdout.writelines(lines)
            return ExitCode.OK
        _write(Path(options.file), lines)
    record: Exported = {"kind": "exported", "v": 1, "path": options.file, "form": options.form, "step_runs": len(steps)}
    output.document(record, _sections)
    return ExitCode.OK


def _step_runs(history: History, references: Iterable[str]) -> list[StepRunView]:
    things = []
    for reference in references:
        found = history.find(reference)
        if isinstance(found, PipelineView):
            raise Invalid(f"{reference!r} is a pipeline", hint="Name its runs: see `lineal runs --pipeline`.")
        things.append(found)
    return step_runs_behind(things)


def _prov(steps: list[StepRunView]) -> Iterator[str]:
    yield json.dumps(prov_document(steps), indent=2, allow_nan=False) + "\n"


def _openlineage(steps: list[StepRunView]) -> Iterator[str]:
    for event in openlineage_events(steps):
        yield json.dumps(event, allow_nan=False) + "\n"


def _write(path: Path, lines: Iterable[str]) -> None:
    """Write a file that is not there yet, whole or not at all."""
    try:
        file = path.open("x", encoding="ascii")
    except FileExistsError as error:
        raise Invalid("a file is there already", where=path, hint="Give another path.") from error
    try:
        with file:
            file.writelines(lines)
    except BaseException:
        path.unlink()
        raise


def _sections(record: Exported) -> list[Section]:
    return [Fields("", [(record["form"], record["path"]), ("step runs", str(record["step_runs"]))])]
