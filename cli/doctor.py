"""The verb ``doctor``."""

from __future__ import annotations

import argparse

from ..client.health import Finding, examine
from .layout import Section, Table
from .outcome import ExitCode
from .output import Output
from .units import NOTHING
from .upkeep_kinds import Diagnosis

EXAMPLE = "lineal doctor"
_COLUMNS = ("check", "finding", "what", "what to do")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Look for what is wrong with a store, or with the machine under it: libraries, file system, room, database, "
        "clock, formats, and a quick look at all content. It exits with 0 where there are warnings at most."
    )


def execute(options: argparse.Namespace, output: Output) -> int:
    """Examine the store."""
    checks = list(examine(options.store))
    findings = {check.finding for check in checks}
    record: Diagnosis = {
        "kind": "diagnosis",
        "v": 1,
        "is_well": not findings & {Finding.PROBLEM, Finding.DAMAGE},
        "checks": [
            {"name": one.name, "finding": str(one.finding), "what": one.what, "hint": one.hint} for one in checks
        ],
    }
    output.document(record, _sections)
    if Finding.DAMAGE in findings:
        return ExitCode.DAMAGED
    return ExitCode.ERROR if Finding.PROBLEM in findings else ExitCode.OK


def _sections(record: Diagnosis) -> list[Section]:
    rows = [(one["name"], one["finding"], one["what"], one["hint"] or NOTHING) for one in record["checks"]]
    return [Table("", _COLUMNS, rows)]
