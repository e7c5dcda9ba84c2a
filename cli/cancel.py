"""The verb ``cancel``."""

from __future__ import annotations

import argparse

from .outcome import ExitCode
from .output import Output
from .past import opened_to_write
from .records import run_detail
from .sections import of_run

EXAMPLE = "lineal cancel training-6"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Stop a run that goes on in another process of this host, as Ctrl-C in its terminal would: its steps are "
        "stopped, it is recorded as cancelled, and what was done by then stays. `lineal resume` goes on with it."
    )
    parser.add_argument("run", metavar="RUN", help="the run: its name, id, or beginning of its id")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Stop a run."""
    with opened_to_write(options) as client:
        output.document(run_detail(client.cancel(options.run)), of_run)
    return ExitCode.OK
