"""The verb ``imports``."""

from __future__ import annotations

import argparse

from ..history import Imported
from .outcome import ExitCode
from .output import Output
from .past import opened
from .transfer_kinds import ImportSource

EXAMPLE = "lineal imports"
COLUMNS = ("store", "imports", "events", "trusted")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = "List the stores that something was imported from, and whether that is trusted."


def execute(options: argparse.Namespace, output: Output) -> int:
    """List them."""
    with opened(options) as client:
        output.listing(map(source_record, client.imported()), COLUMNS, source_row)
    return ExitCode.OK


def source_record(one: Imported) -> ImportSource:
    """A source of imports as it is printed."""
    return {
        "kind": "import-source",
        "v": 1,
        "store": str(one.store),
        "imports": one.imports,
        "events": one.events,
        "is_trusted": one.is_trusted,
    }


def source_row(record: ImportSource) -> tuple[str, ...]:
    """The same as a row."""
    is_trusted = "yes" if record["is_trusted"] else "no"
    return record["store"], f"{record['imports']:,}", f"{record['events']:,}", is_trusted
