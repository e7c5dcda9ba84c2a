"""The verb ``show``."""

from __future__ import annotations

import argparse

from ..history import FOUND_KINDS, FOUND_ORDER, ArtifactVersionView, RunView, StepRunView
from . import sections
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history
from .records import pipeline_detail, run_detail, step_detail, version_detail

EXAMPLE = "lineal show training-1/train"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("reference", metavar="REF", help=f"tried in this order: {FOUND_ORDER}")
    parser.add_argument(
        "--kind", choices=FOUND_KINDS, help="what REF names, where several kinds of things are called so"
    )
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Show one thing."""
    with opened_history(options) as history:
        found = history.find(options.reference, options.kind)
        if isinstance(found, RunView):
            output.document(run_detail(found), sections.of_run)
        elif isinstance(found, StepRunView):
            output.document(step_detail(found), sections.of_step)
        elif isinstance(found, ArtifactVersionView):
            output.document(version_detail(found), sections.of_version)
        else:
            output.document(pipeline_detail(found), sections.of_pipeline)
    return ExitCode.OK
