"""The verb ``import``."""

from __future__ import annotations

import argparse

from .layout import Block, Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write
from .progress import shown_progress
from .transfer_kinds import Arrival

EXAMPLE = "lineal import training.bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Take what a bundle brings and the store lacks. Runs and versions keep their ids, and their numbers where "
        "those are not taken. Values that execute code to be loaded, and results for the cache, are not used until "
        "`lineal trust`. A damaged bundle is refused whole."
    )
    parser.add_argument("bundle", metavar="BUNDLE", help="what `lineal export` wrote")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Import."""
    with opened_to_write(options) as client:
        with shown_progress():
            arrived = client.import_bundle(options.bundle)
        is_trusted = all(one.is_trusted for one in client.imported() if one.store == arrived.store)
    record: Arrival = {
        "kind": "arrival",
        "v": 1,
        "path": options.bundle,
        "bundle": str(arrived.bundle),
        "store": str(arrived.store),
        "events": arrived.events,
        "known": arrived.known,
        "blobs": arrived.blobs,
        "lacking": arrived.lacking,
        "merged": arrived.merged,
        "kept": arrived.kept,
        "is_trusted": is_trusted,
    }
    output.document(record, _sections)
    return ExitCode.OK


def _sections(record: Arrival) -> list[Section]:
    news = f"{record['events']:,} events and {record['blobs']:,} blobs; {record['known']:,} events were here already"
    if not record["events"] and not record["blobs"]:
        news = "nothing: all of it is here already"
    pairs = [("imported", news), ("from", f"store {record['store']}")]
    if record["lacking"]:
        pairs.append(("lacking", f"{record['lacking']:,} contents that had been collected there"))
    labels = []
    if record["merged"]:
        labels.append(f"{record['merged']:,} things that had tags here have those of there, too")
    if record["kept"]:
        labels.append(f"{record['kept']:,} changes of there were not taken: what was set here stays")
    if labels:
        pairs.append(("labels", "; ".join(labels)))
    sections: list[Section] = [Fields("", pairs)]
    if not record["is_trusted"]:
        sections.append(Block("", f"If you trust who made it, run `lineal trust {record['store'][:12]}`."))
    return sections
