"""The verb ``distrust``."""

from __future__ import annotations

import argparse

from .imports import COLUMNS, source_record, source_row
from .layout import Table
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write

EXAMPLE = "lineal distrust training.bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Trust what was imported from a store no more: what executes code to be loaded is refused, and results are not "
        "reused. What was reused by then stays."
    )
    parser.add_argument(
        "source", metavar="STORE", help="a store's id or the beginning of it, see `lineal imports`; or a bundle of it"
    )


def execute(options: argparse.Namespace, output: Output) -> int:
    """Say so, and show what stands."""
    with opened_to_write(options) as client:
        record = source_record(client.distrust(options.source))
    output.document(record, lambda record: [Table("", COLUMNS, [source_row(record)])])
    return ExitCode.OK
