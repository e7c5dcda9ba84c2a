"""The verb ``unpin``."""

from __future__ import annotations

import argparse

from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write
from .upkeep_kinds import Unpin

EXAMPLE = "lineal unpin champion"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("label", metavar="LABEL", help="the pin's label; `lineal pins` lists them")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Take a pin away."""
    with opened_to_write(options) as client:
        client.unpin(options.label)
        record: Unpin = {"kind": "unpin", "v": 1, "label": options.label}
        output.document(record, _sections)
    return ExitCode.OK


def _sections(unpin: Unpin) -> list[Section]:
    return [Fields("", [("removed", f"pin {unpin['label']}")])]
