"""The verb ``artifacts``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .labelled import with_labels
from .layout import Row
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history
from .records import artifact_record, newest_version, version_record
from .units import ID_DIGITS, size_text, time_text

if TYPE_CHECKING:
    from ..history import History
    from .kinds import Artifact, ArtifactVersion

EXAMPLE = "lineal artifacts digits-model"
COLUMNS = ("artifact", "versions", "latest", "type", "size", "created")
VERSION_COLUMNS = ("version", "content", "type", "format", "size", "created")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("name", metavar="NAME", nargs="?", help="the artifact whose versions to list, newest first")
    which.add_argument("--evicted", action="store_true", help="the versions whose bytes have been taken away since")
    parser.add_argument("--like", metavar="PATTERN", help="only artifacts whose names are so, as 'model-*'")
    parser.add_argument("--tag", metavar="TAG", help="only artifacts, or versions of the one, that have this tag")
    parser.add_argument("--where", metavar="CONDITION", help="only versions that meet it, as 'metadata.rows > 1000'")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """List artifacts by name, or the versions of one."""
    with opened_history(options) as history:
        if options.evicted:
            output.listing(map(version_record, history.evicted()), VERSION_COLUMNS, version_row)
        elif options.name is None and options.where is None:
            found = history.artifacts(like=options.like, tag=options.tag)
            output.listing(map(artifact_record, found), *with_labels(history, "artifact", COLUMNS, _row))
        else:
            versions = history.versions(_named(history, options.name), tag=options.tag, where=options.where)
            output.listing(
                map(version_record, versions), *with_labels(history, "version", VERSION_COLUMNS, version_row)
            )
    return ExitCode.OK


def _named(history: History, name: str | None) -> str | None:
    """The name of an artifact that there is."""
    return None if name is None else newest_version(history, name).name


def _row(artifact: Artifact) -> Row:
    latest = artifact["latest"]
    return (
        artifact["name"],
        str(artifact["versions"]),
        latest["content"][:ID_DIGITS],
        latest["type"],
        size_text(latest["size_bytes"]),
        time_text(latest["created"]),
    )


def version_row(version: ArtifactVersion) -> Row:
    """A version's row under `VERSION_COLUMNS`."""
    return (
        version["reference"],
        version["content"][:ID_DIGITS],
        version["type"],
        version["format"],
        size_text(version["size_bytes"]) + (" (evicted)" if version["is_evicted"] else ""),
        time_text(version["created"]),
    )
