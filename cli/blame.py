"""The verb ``blame``."""

from __future__ import annotations

import argparse

from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history
from .told import sections_of
from .why import cause_record

EXAMPLE = "lineal blame digits-model@2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Tell what explains that an artifact version is not as the one before: code, parameters and inputs of the "
        "steps that made them, followed upstream to where something changed by itself."
    )
    parser.add_argument("reference", metavar="ARTIFACT", help="name, name@3, name@label or name@{digest prefix}")
    parser.add_argument("old", metavar="OLD", nargs="?", help="compared with this version instead of the one before")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Blame."""
    with opened_history(options) as history:
        found = history.blame(options.reference, options.old)
        causes = [{**one.to_dict(), "reasons": list(map(cause_record, one.reasons))} for one in found.causes]
        record = {"kind": "blame", "v": 1, **found.to_dict(), "causes": causes}
        output.document(record, lambda _: sections_of(found))
    return ExitCode.OK
