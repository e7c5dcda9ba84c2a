"""The verb ``rm``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from ..errors import InvalidReference
from ..history import FOUND_KINDS, FOUND_ORDER, ArtifactVersionView, View
from .labelled import title
from .layout import Block, Fields, Section, Table
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write
from .revising_kinds import Deletion
from .units import size_text

EXAMPLE = "lineal rm training-1 --outputs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Delete runs or artifact versions from the record. Without --yes, only say what would go, what that frees, and "
        "what depends on it. Lineage keeps what is deleted; `lineal undo` has it back, whole until `gc` frees it."
    )
    parser.add_argument("references", metavar="REF", nargs="+", help=f"tried in this order: {FOUND_ORDER}")
    parser.add_argument("--kind", choices=FOUND_KINDS, help="what REF names, where several things are called so")
    parser.add_argument("--whole", action="store_true", help="of an artifact: all its versions, not the one REF means")
    parser.add_argument(
        "--outputs", action="store_true", help="of runs: also the versions that only they made and nothing refers to"
    )
    parser.add_argument("--reason", metavar="TEXT", default="", help="why, for whoever asks later")
    parser.add_argument("--yes", action="store_true", help="do it")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Delete, one thing after the other."""
    with opened_to_write(options) as client:
        views: list[View] = [client.find(reference, options.kind) for reference in options.references]
        if options.whole and not all(isinstance(view, ArtifactVersionView) for view in views):
            raise InvalidReference("--whole is for artifacts, and a REF names something else", hint="Leave it out.")
        for view in views:
            of = view.artifact if options.whole and isinstance(view, ArtifactVersionView) else view
            done = client.delete(of, outputs=options.outputs, dry_run=not options.yes, reason=options.reason)
            record: Deletion = {
                "kind": "deletion",
                "v": 1,
                "of": title(of),
                "is_dry_run": done.is_dry_run,
                "runs": list(done.runs),
                "artifact_versions": list(done.versions),
                "kept": [{"artifact_version": one.version, "reason": one.reason} for one in done.kept],
                "dependents": [{"of": one.of, "what": one.what, "how": one.how} for one in done.dependents],
                "released": list(done.released),
                "freed_bytes": done.freed_bytes,
                "seqs": list(done.seqs),
            }
            output.document(record, _sections)
    return ExitCode.OK


def _sections(done: Deletion) -> Iterator[Section]:
    would = "would be " if done["is_dry_run"] else ""
    freed = f"{size_text(done['freed_bytes'])} by the next `lineal gc`"
    pairs = [
        (f"{would}deleted", ", ".join((*done["runs"], *done["artifact_versions"]))),
        *([(f"{would}freed", freed)] if done["released"] else []),
        *([("events", ", ".join(map(str, done["seqs"])))] if done["seqs"] else []),
    ]
    yield Fields("", pairs)
    dependents = ((one["what"], one["how"], one["of"]) for one in done["dependents"])
    yield Table("what depends on it", ("what", "how", "of"), dependents)
    yield Table("stays", ("version", "why"), ((one["artifact_version"], one["reason"]) for one in done["kept"]))
    if done["is_dry_run"]:
        yield Block("", "Nothing was done. Add --yes to do it.")
    else:
        yield Block("", f"Run `lineal undo {' '.join(map(str, done['seqs']))}` to have it back.")
