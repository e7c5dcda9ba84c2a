"""The verb ``rebuild``."""

from __future__ import annotations

import argparse

from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write
from .upkeep_kinds import Rebuild

EXAMPLE = "lineal rebuild"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options: none."""


def execute(options: argparse.Namespace, output: Output) -> int:
    """Replay the log."""
    with opened_to_write(options) as client:
        head = client.rebuild()
        record: Rebuild = {
            "kind": "rebuild",
            "v": 1,
            "path": str(client.path),
            "head_seq": head.seq,
            "head_chain": head.chain.hex(),
        }
        output.document(record, _sections)
    return ExitCode.OK


def _sections(rebuild: Rebuild) -> list[Section]:
    return [Fields("", [("store", rebuild["path"]), ("replayed", f"{rebuild['head_seq']} events")])]
