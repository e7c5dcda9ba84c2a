"""The verb ``rename``."""

from __future__ import annotations

import argparse

from ..history import FOUND_ORDER
from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write
from .revising_kinds import Renaming

EXAMPLE = "lineal rename training-1 baseline"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Call a run, an artifact or a pipeline otherwise. An artifact's versions keep their numbers, labels and "
        "lineage; what pipelines make of it later has the name that their code says. A pipeline keeps its runs, "
        "versions and labels, and later runs of its function go on with it, whether that is renamed as well or not. "
        "`lineal undo` takes it back."
    )
    parser.add_argument("reference", metavar="REF", help=f"tried in this order: {FOUND_ORDER}")
    parser.add_argument("name", metavar="NAME", help="what it is to be called")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Rename."""
    with opened_to_write(options) as client:
        renamed = client.rename(options.reference, options.name)
        record: Renaming = {
            "kind": "renaming",
            "v": 1,
            "of_kind": renamed.kind,
            "old": renamed.old,
            "name": renamed.name,
            "seq": renamed.seq,
        }
        output.document(record, _sections)
    return ExitCode.OK


def _sections(renamed: Renaming) -> list[Section]:
    pairs = [(renamed["of_kind"], f"{renamed['old']} → {renamed['name']}"), ("event", str(renamed["seq"]))]
    return [Fields("", pairs)]
