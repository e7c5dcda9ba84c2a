"""The verb ``du``."""

from __future__ import annotations

import argparse

from ..history import footprints
from .layout import Row
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history
from .records import newest_version
from .units import size_text
from .upkeep_kinds import Footprint

EXAMPLE = "lineal du"
_COLUMNS = ("artifact", "versions", "logical", "stored", "own")
_ORDERS = ("name", "versions", "logical", "stored", "own")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Tell what artifacts take of the disk: logical, as if each version were stored for itself; stored, each blob "
        "once; own, what of that no other artifact shares. With --as-of: what the versions of then take now."
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these artifacts")
    parser.add_argument("--sort", choices=_ORDERS, default="stored", help="by default stored; the largest first")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Tell what artifacts take."""
    with opened_history(options) as history:
        names = {newest_version(history, name).name for name in options.names}
        records: list[Footprint] = [
            {
                "kind": "footprint",
                "v": 1,
                "artifact": one.artifact,
                "versions": one.versions,
                "evicted": one.evicted,
                "logical_bytes": one.logical_bytes,
                "stored_bytes": one.stored_bytes,
                "own_bytes": one.own_bytes,
            }
            for one in footprints(history)
            if not names or one.artifact in names
        ]
    output.listing(_sorted(records, options.sort), _COLUMNS, _row)
    return ExitCode.OK


def _sorted(records: list[Footprint], order: str) -> list[Footprint]:
    if order == "name":
        return sorted(records, key=lambda record: record["artifact"])
    amounts = {
        "versions": lambda record: record["versions"],
        "logical": lambda record: record["logical_bytes"],
        "stored": lambda record: record["stored_bytes"],
        "own": lambda record: record["own_bytes"],
    }
    return sorted(records, key=amounts[order], reverse=True)


def _row(record: Footprint) -> Row:
    evicted = f" ({record['evicted']} evicted)" if record["evicted"] else ""
    amounts = (record["logical_bytes"], record["stored_bytes"], record["own_bytes"])
    return (record["artifact"], f"{record['versions']}{evicted}", *map(size_text, amounts))
