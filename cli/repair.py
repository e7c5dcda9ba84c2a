"""The verb ``repair``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from ..client import open as open_client
from ..repair import Repair as Repaired
from .layout import Fields, Section, Table
from .outcome import ExitCode
from .output import Output
from .progress import shown_progress
from .units import ID_DIGITS, NOTHING
from .upkeep_kinds import Damage, Repair
from .verify import damage_record, hurts_text, inside

EXAMPLE = "lineal repair --dry-run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Mend what can be mended."""
    with open_client(options.store, create=False, check_structure=True) as client:
        with shown_progress():
            repaired = client.repair(dry_run=options.dry_run)
        record = _record(str(client.path), repaired)
    output.document(record, _sections)
    return ExitCode.DAMAGED if record["lost"] else ExitCode.OK


def _record(path: str, repaired: Repaired) -> Repair:
    return {
        "kind": "repair",
        "v": 1,
        "path": path,
        "is_dry_run": repaired.is_trial,
        "mended": [
            {"what": one.what, "digest": None if one.digest is None else str(one.digest)} for one in repaired.mended
        ],
        "quarantined": [str(place) for place in repaired.quarantined],
        "lost": [damage_record(damage) for damage in repaired.lost],
    }


def _sections(record: Repair) -> Iterator[Section]:
    would = "would be " if record["is_dry_run"] else ""
    fields = [("store", record["path"])]
    if not (record["mended"] or record["quarantined"] or record["lost"]):
        fields.append(("sound", "there is nothing to repair"))
    if record["mended"]:
        fields.append((f"{would}mended", str(len(record["mended"]))))
    if record["quarantined"]:
        fields.append((f"{would}moved", f"{len(record['quarantined'])} damaged, into the store's quarantine"))
    if record["lost"]:
        fields.append(("lost", f"{len(record['lost'])}, which nothing else in the store holds"))
    yield Fields("", fields)
    mended = ((one["digest"][:ID_DIGITS] if one["digest"] else NOTHING, one["what"]) for one in record["mended"])
    yield Table("", ("blob", f"{would}mended"), mended)
    places = ([inside(place, record["path"])] for place in record["quarantined"])
    yield Table("", (f"{would}quarantined" if would else "now in",), places)
    yield Table("", ("lost", "hurts", "what is wrong", "what to do"), map(_lost_row, record["lost"]))


def _lost_row(damage: Damage) -> tuple[str, ...]:
    remedies = list(dict.fromkeys(damage["remedies"])) or ["Nothing: no event names it."]
    return (
        damage["to"] if damage["digest"] is None else f"{damage['to']} {damage['digest'][:ID_DIGITS]}",
        hurts_text(damage),
        damage["what"],
        " ".join(remedies),
    )
