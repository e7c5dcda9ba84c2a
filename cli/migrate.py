"""The verb ``migrate``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from ..client import foreseen_migration
from .layout import Fields, Section, Table
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write
from .progress import shown_progress
from .units import size_text
from .upkeep_kinds import Migration

EXAMPLE = "lineal migrate --dry-run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Bring a store of an older format to today's: its log is copied, the copy migrated, verified and put in its "
        "place, and the old log is kept. Any command that opens the store to write does the same. While an old log "
        "is kept, gc frees nothing."
    )
    parser.add_argument(
        "--drop-old", action="store_true", help="remove the old logs that are kept; there is no way back from then on"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Migrate, or drop what migrations have kept."""
    foreseen = foreseen_migration(options.store)
    old = foreseen.old_logs
    if not options.dry_run:
        with shown_progress(), opened_to_write(options) as client:
            old = client.drop_old_logs() if options.drop_old else client.old_logs()
    places = [str(one.path) for one in old]
    record: Migration = {
        "kind": "migration",
        "v": 1,
        "path": str(foreseen.path),
        "is_dry_run": options.dry_run,
        "from_version": foreseen.version,
        "needed_bytes": foreseen.needed_bytes,
        "kept": [] if options.drop_old else places,
        "dropped": places if options.drop_old else [],
    }
    output.document(record, _sections)
    return ExitCode.OK


def _sections(record: Migration) -> Iterator[Section]:
    would = "would be " if record["is_dry_run"] else ""
    fields = [("store", record["path"]), ("format", f"{record['from_version']}, today's: nothing to migrate")]
    if record["needed_bytes"]:
        fields[1] = ("format", f"{would}brought from {record['from_version']} to today's")
        fields.append(("room needed", f"up to {size_text(record['needed_bytes'])}"))
    yield Fields("", fields)
    yield Table("", ("kept", "until"), ((place, "lineal migrate --drop-old") for place in record["kept"]))
    yield Table("", (f"{would}dropped",), ([place] for place in record["dropped"]))
