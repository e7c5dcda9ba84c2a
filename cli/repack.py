"""The verb ``repack``."""

from __future__ import annotations

import argparse

from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write
from .progress import shown_progress
from .records import version_record
from .upkeep_kinds import Repacking

EXAMPLE = "lineal repack digits-model@2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Give the large buffers of an artifact version files of their own, so that loading maps them instead of "
        "putting them together. It takes the room that sharing with other versions had saved."
    )
    parser.add_argument("reference", metavar="REF", help="name, name@3, name@latest or name@{digest prefix}")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Repack an artifact version."""
    with opened_to_write(options) as client:
        with shown_progress():
            repacked = client.repack(options.reference)
        record: Repacking = {
            "kind": "repacking",
            "v": 1,
            "artifact_version": version_record(client.artifact(options.reference)),
            "repacked": repacked,
        }
        output.document(record, _sections)
    return ExitCode.OK


def _sections(record: Repacking) -> list[Section]:
    count = record["repacked"]
    noun = "buffer has a file of its" if count == 1 else "buffers have files of their"
    outcome = f"{count} {noun} own now" if count else "all large buffers had files of their own"
    return [Fields("", [("version", record["artifact_version"]["reference"]), ("outcome", outcome)])]
