"""The verb ``put``."""

from __future__ import annotations

import argparse

from .artifacts import VERSION_COLUMNS, version_row
from .kinds import ArtifactVersion
from .layout import Section, Table
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write
from .records import version_record

EXAMPLE = "lineal put notes.txt notes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Save a file or a directory as a version of an artifact. What is there already is stored no second time; "
        "links in a directory stay links, and must stay inside."
    )
    parser.add_argument("path", metavar="PATH", help="the file or directory")
    parser.add_argument("name", metavar="NAME", nargs="?", help="the artifact; by default the name of the file")
    parser.add_argument("--tag", metavar="TAG", action="append", default=[], help="put a tag on it; may be repeated")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Save a file or directory."""
    with opened_to_write(options) as client:
        version = client.save_path(options.path, options.name)
        client.flush()
        if options.tag:
            client.tag(version, *options.tag)
        output.document(version_record(version), _sections)
    return ExitCode.OK


def _sections(version: ArtifactVersion) -> list[Section]:
    return [Table("", VERSION_COLUMNS, [version_row(version)])]
