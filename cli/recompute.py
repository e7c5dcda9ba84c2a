"""The verb ``recompute``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from .importing import add_script, make_importable
from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write
from .progress import shown_progress
from .records import version_record
from .units import size_text
from .upkeep_kinds import Recomputation

EXAMPLE = "lineal recompute digits-model@1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Make an evicted artifact version again by running its step, and first the steps of what that takes and is "
        "gone, too. This imports and runs the code of those steps, from the working directory and what is installed."
    )
    parser.add_argument("reference", metavar="REF", help="name, name@3, name@latest or name@{digest prefix}")
    add_script(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Make an artifact version again."""
    make_importable(options)
    with opened_to_write(options) as client:
        head = client.head.seq
        with shown_progress():
            version = client.recompute(options.reference)
        runs = [run.name for run in client.runs() if run.seq > head]
        record: Recomputation = {
            "kind": "recomputation",
            "v": 1,
            "artifact_version": version_record(version),
            "runs": runs[::-1],
        }
        output.document(record, _sections)
    return ExitCode.OK


def _sections(done: Recomputation) -> Iterator[Section]:
    version = done["artifact_version"]
    how = f"made again by {', '.join(done['runs'])}; its digest is the same" if done["runs"] else "it was there already"
    yield Fields(
        "",
        [
            ("artifact", version["reference"]),
            ("content", version["content"]),
            ("size", size_text(version["size_bytes"])),
            ("outcome", how),
        ],
    )
