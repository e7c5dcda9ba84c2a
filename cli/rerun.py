"""The verb ``rerun``."""

from __future__ import annotations

import argparse

from ..pipeline.repeating.rerun import rerun_with
from .importing import add_parameters, add_script, make_importable, steps_on_stderr
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write
from .records import run_detail
from .sections import of_run

EXAMPLE = "lineal rerun training-1 --param lr=0.2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Run the pipeline of a historical run again, with the code and the parameters of then, on the packages of "
        "today. What has not changed is served from the cache."
    )
    parser.add_argument("run", metavar="RUN", help="the run: its name, id, or beginning of its id")
    add_parameters(parser, "a parameter that is to be different")
    parser.add_argument(
        "--code",
        choices=("recorded", "current"),
        default="recorded",
        help="the code that ran then, which is the default, or that of today, from the working directory and what is "
        "installed",
    )
    parser.add_argument("--no-cache", action="store_true", help="execute every step")
    add_script(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Run a run's pipeline again."""
    with opened_to_write(options) as client:
        run = client.run(options.run)
        if options.code == "current":
            make_importable(options)
        with steps_on_stderr():
            made = rerun_with(run, dict(options.param), code=options.code, cache=not options.no_cache)
        output.document(run_detail(made), of_run)
    return ExitCode.OK
