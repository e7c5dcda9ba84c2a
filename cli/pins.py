"""The verb ``pins``."""

from __future__ import annotations

import argparse

from .layout import Row
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history
from .records import pin_record
from .units import ID_DIGITS, NOTHING, time_text
from .upkeep_kinds import Pin

EXAMPLE = "lineal pins"
_COLUMNS = ("pin", "holds", "content", "expires")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """List pins."""
    with opened_history(options) as history:
        output.listing((pin_record(history, pin) for pin in history.pins()), _COLUMNS, _row)
    return ExitCode.OK


def _row(pin: Pin) -> Row:
    versions = ", ".join(pin["artifact_versions"]) or NOTHING
    expires = "never" if pin["expires"] is None else time_text(pin["expires"])
    return pin["label"], versions, pin["content"][:ID_DIGITS], expires
