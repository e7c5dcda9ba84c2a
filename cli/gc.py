"""The verb ``gc``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import timedelta

from ..history import Retention, Verdict
from .layout import Fields, Row, Section, Table
from .outcome import ExitCode
from .output import Output
from .past import count, opened_to_write
from .progress import shown_progress
from .units import age, size_bytes, size_text
from .upkeep_kinds import Collection, Decision

EXAMPLE = "lineal gc --keep-last 3 --max-age 30d --dry-run"
_COLUMNS = ("version", "size", "why")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Release artifact versions by a policy, then free the bytes that nothing holds. Without a policy, only what "
        "was released before goes, and what no event ever named. The latest version of an artifact, what is pinned, "
        "what an alias points to, what a running run uses, and what a version that stays was made from, stays. "
        "Lineage always does."
    )
    policy = parser.add_argument_group("policy")
    policy.add_argument(
        "--keep-last", metavar="N", type=count, help="keep the last N versions of each artifact, whatever else is said"
    )
    policy.add_argument(
        "--max-age", metavar="AGE", type=age, help="release what was not made or reused for so long: 12h, 30d, 8w"
    )
    policy.add_argument(
        "--max-size", metavar="SIZE", type=size_bytes, help="release the least recently used beyond this: 500MB, 10GB"
    )
    policy.add_argument(
        "--keep-tagged",
        metavar="LABEL",
        action="append",
        default=[],
        help="keep versions with this tag or alias, and all of an artifact with this tag; can be repeated",
    )
    policy.add_argument(
        "--release-aliased", action="store_true", help="do not keep versions only because an alias points to them"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would happen, and why; do nothing")
    parser.add_argument(
        "--grace",
        metavar="AGE",
        type=age,
        default=timedelta(hours=1),
        help="how old a file must be that no commit has named; by default 1h",
    )


def execute(options: argparse.Namespace, output: Output) -> int:
    """Collect."""
    retention = Retention(
        options.keep_last,
        options.max_age,
        options.max_size,
        keep_aliased=not options.release_aliased,
        keep_tagged=tuple(options.keep_tagged),
    )
    with opened_to_write(options) as client:
        with shown_progress():
            done = client.collect(retention, dry_run=options.dry_run, grace_s=options.grace.total_seconds())
        record: Collection = {
            "kind": "collection",
            "v": 1,
            "path": str(client.path),
            "is_dry_run": done.is_dry_run,
            "released": [_decision(one) for one in done.released],
            "kept": [_decision(one) for one in done.kept],
            "blobs": done.blobs,
            "files": done.files,
            "compacted": done.compacted,
            "freed_bytes": done.freed_bytes,
        }
        output.document(record, _sections)
    return ExitCode.OK


def _decision(verdict: Verdict) -> Decision:
    return {
        "reference": str(verdict),
        "content": str(verdict.content),
        "size_bytes": verdict.size_bytes,
        "reason": verdict.reason,
    }


def _sections(done: Collection) -> Iterator[Section]:
    would = "would be " if done["is_dry_run"] else ""
    counts = [
        (f"{would}{what}", _number(len(decided), "artifact version"))
        for what, decided in (("released", done["released"]), ("kept", done["kept"]))
        if done["released"] or done["kept"]
    ]
    freed = f"{size_text(done['freed_bytes'])} in {_number(done['blobs'], 'blob')} and {_number(done['files'], 'file')}"
    if done["compacted"]:
        freed += f", {_number(done['compacted'], 'file')} compacted"
    yield Fields("", [("store", done["path"]), *counts, (f"{would}freed", freed)])
    yield Table(f"{would}released".capitalize(), _COLUMNS, map(_row, done["released"]))
    if done["is_dry_run"]:
        yield Table(f"{would}kept".capitalize(), _COLUMNS, map(_row, done["kept"]))


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _row(decision: Decision) -> Row:
    return decision["reference"], size_text(decision["size_bytes"]), decision["reason"]
