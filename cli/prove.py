"""The verb ``prove``."""

from __future__ import annotations

import argparse

from .outcome import ExitCode
from .output import JsonOutput, Output
from .past import add_as_of, opened_history

EXAMPLE = "lineal prove digits-model@1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    proven = parser.add_mutually_exclusive_group(required=True)
    proven.add_argument(
        "reference", nargs="?", metavar="REF", help="an artifact version: name, name@3, name@{digest prefix}"
    )
    proven.add_argument(
        "--extends", metavar="OLD", help="prove instead that the log under the head begins with what is under this one"
    )
    parser.add_argument("--head", metavar="HEAD", help="the head to prove it under; by default the log's")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Print the proof, which is JSON whatever the output."""
    with opened_history(options) as history:
        if options.extends is not None:
            record = history.prove_extension(options.extends, options.head).record()
        else:
            record = history.artifact(options.reference).prove(options.head).record()
    JsonOutput().document(record, lambda _: ())
    return ExitCode.OK
