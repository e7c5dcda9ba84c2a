"""The verb ``export``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..errors import Invalid
from ..history import PipelineView, prov_document, step_runs_behind
from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history
from .transfer_kinds import Exported

EXAMPLE = "lineal export --prov training.json training-1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Write what some runs did, or all that went into some artifacts, in a standard form: as W3C PROV-JSON."
    )
    parser.add_argument("--prov", action="store_true", required=True, help="as a W3C PROV-JSON document")
    parser.add_argument("file", metavar="FILE", help="where nothing is")
    parser.add_argument("references", metavar="REF", nargs="+", help="runs, steps as run/step, or artifact versions")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Write the document."""
    with opened_history(options) as history:
        things = []
        for reference in options.references:
            found = history.find(reference)
            if isinstance(found, PipelineView):
                raise Invalid(f"{reference!r} is a pipeline", hint="Name its runs: see `lineal runs --pipeline`.")
            things.append(found)
        steps = step_runs_behind(things)
        document = prov_document(steps)
    text = json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False)
    try:
        with Path(options.file).open("x", encoding="ascii") as file:
            file.write(f"{text}\n")
    except FileExistsError as error:
        raise Invalid("a file is there already", where=options.file, hint="Give another path.") from error
    record: Exported = {"kind": "exported", "v": 1, "path": options.file, "form": "prov", "step_runs": len(steps)}
    output.document(record, _sections)
    return ExitCode.OK


def _sections(record: Exported) -> list[Section]:
    return [Fields("", [(record["form"], record["path"]), ("step runs", str(record["step_runs"]))])]
