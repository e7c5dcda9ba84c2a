"""The verb ``trust``."""

from __future__ import annotations

import argparse

from .imports import COLUMNS, source_record, source_row
from .layout import Table
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write

EXAMPLE = "lineal trust training.bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Trust what was imported from a store until now: its values may execute code to be loaded, and the cache "
        "reuses its results. What is imported later is not trusted by this. `lineal distrust` takes it back."
    )
    parser.add_argument(
        "source", metavar="STORE", help="a store's id or the beginning of it, see `lineal imports`; or a bundle of it"
    )


def execute(options: argparse.Namespace, output: Output) -> int:
    """Say so, and show what stands."""
    with opened_to_write(options) as client:
        record = source_record(client.trust(options.source))
    output.document(record, lambda record: [Table("", COLUMNS, [source_row(record)])])
    return ExitCode.OK
