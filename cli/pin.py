"""The verb ``pin``."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write
from .records import pin_record
from .units import NOTHING, age, time_text
from .upkeep_kinds import Pin

EXAMPLE = "lineal pin digits-model@1 champion --expires 90d"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("reference", metavar="REF", help="name, name@3, name@latest or name@{digest prefix}")
    parser.add_argument("label", metavar="LABEL", help="names the pin; one that is in use is moved")
    parser.add_argument("--expires", metavar="AGE", type=age, help="after how long it holds nothing any more: 12h, 30d")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Pin an artifact version."""
    with opened_to_write(options) as client:
        expires = None if options.expires is None else datetime.now(UTC) + options.expires
        client.pin(options.reference, options.label, expires=expires)
        (pin,) = [pin for pin in client.pins() if pin.label == options.label]
        output.document(pin_record(client, pin), _sections)
    return ExitCode.OK


def _sections(pin: Pin) -> list[Section]:
    expires = "never" if pin["expires"] is None else time_text(pin["expires"])
    versions = ", ".join(pin["artifact_versions"]) or NOTHING
    return [Fields("", [("pin", pin["label"]), ("holds", versions), ("expires", expires)])]
