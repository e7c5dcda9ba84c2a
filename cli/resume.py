"""The verb ``resume``."""

from __future__ import annotations

import argparse

from ..pipeline.repeating.rerun import found_pipeline
from .importing import add_script, make_importable, steps_on_stderr
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write
from .records import run_detail
from .sections import of_run

EXAMPLE = "lineal resume training-5"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Run a pipeline again as it was called for a run that failed, was cancelled or was interrupted, and skip the "
        "steps that were done there. This imports and runs the code of the pipeline as it is today, from the working "
        "directory and what is installed."
    )
    parser.add_argument("run", metavar="RUN", help="the run: its name, id, or beginning of its id")
    add_script(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Do what a run has left."""
    with opened_to_write(options) as client:
        run = client.run(options.run)
        make_importable(options)
        with steps_on_stderr():
            made = found_pipeline(run).resume(run)
        output.document(run_detail(made), of_run)
    return ExitCode.OK
