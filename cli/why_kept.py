"""The verb ``why-kept``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from ..history import Hold as FoundHold
from ..history import Holding as Found
from .layout import Fields, Row, Section, Table
from .outcome import ExitCode
from .output import Output
from .past import opened
from .units import ID_DIGITS, NOTHING, size_text
from .upkeep_kinds import Hold, Holding

EXAMPLE = "lineal why-kept digits-model@1"
_COLUMNS = ("content", "artifact versions", "held by")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("which", metavar="DIGEST", help="six or more digits of a blob's digest; or name, name@3")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Tell what keeps a blob."""
    with opened(options) as client:
        output.document(_record(client.why_kept(options.which)), _sections)
    return ExitCode.OK


def _record(found: Found) -> Holding:
    return {
        "kind": "holding",
        "v": 1,
        "digest": str(found.digest),
        "size_bytes": found.size_bytes,
        "is_kept": found.is_kept,
        "holds": [_hold(one) for one in found.holds],
    }


def _hold(found: FoundHold) -> Hold:
    return {
        "content": str(found.content),
        "artifact_versions": list(found.versions),
        "events": [
            {"seq": event.seq, "type": event.type, "run_name": event.run, "step": event.step} for event in found.events
        ],
        "more_events": found.more_events,
        "pins": [pin.label for pin in found.pins],
        "labels": {version: list(labels) for version, labels in found.labels.items()},
        "aliases": list(found.aliases),
    }


def _sections(holding: Holding) -> Iterator[Section]:
    is_kept = "yes" if holding["is_kept"] else f"no: the next gc frees it, {size_text(holding['size_bytes'])}"
    yield Fields("", [("blob", holding["digest"]), ("size", size_text(holding["size_bytes"])), ("kept", is_kept)])
    yield Table("", _COLUMNS, (row for hold in holding["holds"] for row in _rows(hold, holding["digest"])))


def _rows(hold: Hold, digest: str) -> Iterator[Row]:
    holders = [f"pin {label}" for label in hold["pins"]]
    for event in hold["events"]:
        place = "" if event["step"] is None else f"step {event['step']} of "
        place += "" if event["run_name"] is None else f"run {event['run_name']}"
        holders.append(f"event {event['seq']}, {event['type'].partition('/')[0]}{': ' if place else ''}{place}")
    if hold["more_events"]:
        holders.append(f"and {hold['more_events']:,} more events")
    holders += [f"alias {alias}, under a policy that does not release what is aliased" for alias in hold["aliases"]]
    holders += [f"a policy, if it keeps what is labelled {label}" for label in _tags(hold)]
    content = "the blob itself" if hold["content"] == digest else hold["content"][:ID_DIGITS]
    versions = ", ".join(hold["artifact_versions"]) or NOTHING
    for number, holder in enumerate(holders):
        yield (content, versions, holder) if number == 0 else ("", "", holder)


def _tags(hold: Hold) -> list[str]:
    aliases = {alias.rpartition("@")[2] for alias in hold["aliases"]}
    return sorted({label for labels in hold["labels"].values() for label in labels} - aliases)
