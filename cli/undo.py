"""The verb ``undo``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import count, opened_to_write
from .revising_kinds import Undoing

EXAMPLE = "lineal undo 41"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Undo what events changed that people made: labels, pins, names, releases and deletions. Bytes that were freed "
        "do not come back. Undoing is an event itself, and can be undone."
    )
    parser.add_argument(
        "seqs", metavar="SEQ", nargs="+", type=count, help="positions in the log; `lineal log` lists them, newest last"
    )


def execute(options: argparse.Namespace, output: Output) -> int:
    """Undo, what came last first."""
    with opened_to_write(options) as client:
        for seq in sorted(set(options.seqs), reverse=True):
            undone = client.undo(seq)
            record: Undoing = {
                "kind": "undoing",
                "v": 1,
                "seq": undone.seq,
                "type": undone.type,
                "seqs": list(undone.seqs),
                "gone": list(undone.gone),
            }
            output.document(record, _sections)
    return ExitCode.OK


def _sections(undone: Undoing) -> Iterator[Section]:
    pairs = [("undone", f"event {undone['seq']}, {undone['type']}"), ("events", ", ".join(map(str, undone["seqs"])))]
    gone = [("bytes are gone of", ", ".join(undone["gone"]))] if undone["gone"] else []
    yield Fields("", [*pairs, *gone])
