"""The verb ``verify``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import verification
from .layout import Fields, Section, Table
from .outcome import ExitCode
from .output import Output
from .past import opened
from .progress import shown_progress
from .units import ID_DIGITS, NOTHING, size_text
from .upkeep_kinds import Damage, HeadCheck, Orphan, Verification

EXAMPLE = "lineal verify"
_COLUMNS = ("damaged", "size", "hurts", "what is wrong", "where")
_HURTS_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument(
        "--quick",
        action="store_true",
        help="look at the catalog, sizes, manifests and the log's end only",
    )
    parser.add_argument(
        "--head",
        metavar="HEAD",
        action="append",
        default=[],
        help="verify that the log goes on from this head, which `lineal head` gave; may be given again",
    )
    parser.add_argument(
        "--head-file",
        metavar="FILE",
        action="append",
        default=[],
        help="and from those in a file, each the first word of a line",
    )


def execute(options: argparse.Namespace, output: Output) -> int:
    """Read every byte, or what is quick to look at."""
    heads = [*options.head, *(head for name in options.head_file for head in _heads_in(Path(name)))]
    with opened(options, check_structure=True) as client:
        with shown_progress():
            found = client.verify(quick=options.quick, heads=heads)
        record = _record(str(client.path), found)
    output.document(record, _sections)
    return ExitCode.OK if record["is_sound"] else ExitCode.DAMAGED


def _heads_in(file: Path) -> Iterator[str]:
    """The heads in a file; what follows on a line, empty lines and those that begin with ``#`` are for people."""
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split(maxsplit=1)
        if words and not words[0].startswith("#"):
            yield words[0]


def _record(path: str, found: verification.Verification) -> Verification:
    return {
        "kind": "verification",
        "v": 2,
        "path": path,
        "is_quick": found.is_quick,
        "is_sound": found.is_sound,
        "head_seq": found.head.seq,
        "head_chain": found.head.chain.hex(),
        "blobs": found.blobs,
        "damaged": [damage_record(damage) for damage in found.damages],
        "orphans": [_orphan(orphan) for orphan in found.orphans],
        "heads": [_head_check(check) for check in found.heads],
    }


def damage_record(damage: verification.Damage) -> Damage:
    """What is said of one damage."""
    return {
        "kind": "damage",
        "v": 2,
        "to": damage.kind,
        "digest": None if damage.digest is None else str(damage.digest),
        "size_bytes": damage.size_bytes,
        "is_missing": damage.is_missing,
        "what": damage.what,
        "where": damage.where,
        "hurts": list(damage.hurts),
        "remedies": [use.remedy for use in damage.uses],
    }


def _head_check(check: verification.HeadCheck) -> HeadCheck:
    return {"kind": "head-check", "v": 1, "head": str(check.head), "state": check.state, "what": check.what}


def _orphan(orphan: Any) -> Orphan:
    return {"kind": "orphan", "v": 1, "path": str(orphan.path), "size_bytes": orphan.size_bytes}


def _sections(record: Verification) -> Iterator[Section]:
    damaged, orphans = record["damaged"], record["orphans"]
    fields = [
        ("store", record["path"]),
        ("read", "catalog, sizes, manifests and the log's end" if record["is_quick"] else "every byte"),
        ("log", _log_text(record)),
        ("blobs", _blobs_text(record)),
    ]
    fields += [("head", check["what"]) for check in record["heads"]]
    if orphans:
        size = size_text(sum(orphan["size_bytes"] for orphan in orphans))
        fields.append(("unnamed", f"{len(orphans)} files that nothing names, {size}: no damage"))
    if damaged:
        fields.append(("next", "`lineal repair` mends what can be mended and says how to make the rest again"))
    yield Fields("", fields)
    yield Table("", _COLUMNS, (_row(damage, record["path"]) for damage in damaged))


def _log_text(record: Verification) -> str:
    if any(damage["to"] == "database" for damage in record["damaged"]):
        return "unreadable"
    sound = f"{record['head_seq']} events, sound"
    return f"{sound}; chain {record['head_chain']}" if record["head_chain"] else f"{sound}; damaged after them"


def _blobs_text(record: Verification) -> str:
    hurt = sum(damage["to"] == "blob" for damage in record["damaged"])
    return f"{hurt} damaged or gone, of {record['blobs']}" if hurt else f"all {record['blobs']} sound"


def _row(damage: Damage, store: str) -> tuple[str, ...]:
    size_bytes = damage["size_bytes"]
    return (
        damage["to"] if damage["digest"] is None else f"{damage['to']} {damage['digest'][:ID_DIGITS]}",
        NOTHING if size_bytes is None else size_text(size_bytes),
        hurts_text(damage),
        damage["what"],
        NOTHING if damage["where"] is None else inside(damage["where"], store),
    )


def inside(place: str, store: str) -> str:
    """A path inside the store, as seen from there."""
    return place.removeprefix(f"{store}/")


def hurts_text(damage: Damage) -> str:
    """The first things that a damage hurts, and how many more there are."""
    hurts = damage["hurts"]
    more = f" and {len(hurts) - _HURTS_SHOWN} more" if len(hurts) > _HURTS_SHOWN else ""
    return ", ".join(hurts[:_HURTS_SHOWN]) + more or NOTHING
