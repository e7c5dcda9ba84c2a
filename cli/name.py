"""The verb ``name``."""

from __future__ import annotations

import argparse

from .labelled import labels_record, labels_sections
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write

EXAMPLE = "lineal name digits-model@1 approved-model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("reference", metavar="REF", help="name, name@3, name@label or name@{digest prefix}")
    parser.add_argument("name", metavar="NAME", help="the artifact that it is to be a version of, too")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Name a version's content once more."""
    with opened_to_write(options) as client:
        output.document(labels_record(client.name(options.reference, options.name)), labels_sections)
    return ExitCode.OK
