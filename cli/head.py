"""The verb ``head``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from ..history import History
from .kinds import Head
from .layout import Block, Section
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history
from .records import event_record

EXAMPLE = "lineal head"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Print the head, and nothing else."""
    with opened_history(options) as history:
        output.document(_record(history), _sections)
    return ExitCode.OK


def _record(history: History) -> Head:
    head = history.tree_head()
    last = next(history.events(head.seq - 1))
    return {
        "kind": "head",
        "v": 1,
        "head": str(head),
        "store": str(next(history.events()).origin),
        "time": event_record(last)["time"],
    }


def _sections(record: Head) -> Iterator[Section]:
    yield Block("", record["head"])
