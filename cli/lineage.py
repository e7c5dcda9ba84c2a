"""The verb ``lineage``."""

from __future__ import annotations

import argparse

from ..errors import InvalidReference
from ..history import ArtifactVersionView, History, StepRunView
from .kinds import Lineage
from .layout import Block
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history

EXAMPLE = "lineal lineage digits-model@1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument(
        "reference", metavar="REF", help="name, name@3, name@{digest prefix}, or run/step with one output"
    )
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Draw a lineage."""
    with opened_history(options) as history:
        version = _version(history, options.reference)
        lineage = version.lineage()
        record: Lineage = {
            "kind": "lineage",
            "v": 1,
            "reference": str(version),
            "content": str(version.content),
            "is_complete": lineage.is_complete,
            "artifacts": lineage.to_dict()["artifacts"],
        }
        output.document(record, lambda _: [Block("", str(lineage))])
    return ExitCode.OK


def _version(history: History, reference: str) -> ArtifactVersionView:
    found = history.find(reference)
    if isinstance(found, StepRunView):
        return found.output
    if not isinstance(found, ArtifactVersionView):
        raise InvalidReference(
            f"{reference!r} names no artifact", hint="Name an artifact such as name@3, or a step as run/step."
        )
    return found
