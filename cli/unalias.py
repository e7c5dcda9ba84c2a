"""The verb ``unalias``."""

from __future__ import annotations

import argparse

from .labelled import labels_record, labels_sections
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write

EXAMPLE = "lineal unalias digits-model champion"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("artifact", metavar="NAME", help="the artifact")
    parser.add_argument("alias", metavar="ALIAS", help="the alias; `lineal artifacts NAME` shows them")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Take an alias away."""
    with opened_to_write(options) as client:
        client.unalias(options.artifact, options.alias)
        artifact = client.artifact(f"{options.artifact}@latest").artifact
        output.document(labels_record(artifact), labels_sections)
    return ExitCode.OK
