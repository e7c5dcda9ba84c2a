"""The verb ``alias``."""

from __future__ import annotations

import argparse

from .labelled import labels_record, labels_sections
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write

EXAMPLE = "lineal alias digits-model@1 champion"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("reference", metavar="REF", help="name, name@3, name@label or name@{digest prefix}")
    parser.add_argument("alias", metavar="ALIAS", help="what name@ALIAS is to mean; one that is in use is moved")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Point an alias to a version."""
    with opened_to_write(options) as client:
        client.alias(options.reference, options.alias)
        output.document(labels_record(client.artifact(options.reference)), labels_sections)
    return ExitCode.OK
