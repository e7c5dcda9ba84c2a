"""The verb ``untag``."""

from __future__ import annotations

import argparse

from .labelled import add_subject, chosen, labels_record, labels_sections
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write

EXAMPLE = "lineal untag digits-model@1 candidate"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    add_subject(parser)
    parser.add_argument("tags", metavar="TAG", nargs="+", help="tags to take off it; it must have them all")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Take tags off something."""
    with opened_to_write(options) as client:
        view = chosen(client, options)
        client.untag(view, *options.tags)
        output.document(labels_record(view), labels_sections)
    return ExitCode.OK
