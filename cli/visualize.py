"""The verb ``visualize``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from ..errors import Invalid
from ..history import ArtifactVersionView
from .layout import Fields, Section, Table
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history, opened_to_write
from .records import version_record
from .units import size_text
from .visualization_kinds import Visualizations

EXAMPLE = "lineal visualize digits-model@1 --output model.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Show what an artifact version shows of itself, in the browser: a page that needs no other file and holds no "
        "scripts. What was kept is shown, so no code runs, unless it is to be drawn again."
    )
    parser.add_argument("reference", metavar="REF", help="name, name@3, name@latest or name@{digest prefix}")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write the page there, and don't open it")
    parser.add_argument(
        "--again", action="store_true", help="load the value and draw it anew first; this may run the code of its type"
    )
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Show an artifact version."""
    if options.again and options.as_of is not None:
        raise Invalid("what is drawn again is shown from now on, not in the past", hint="Leave out --as-of.")
    if options.again:
        with opened_to_write(options) as client:
            _show(client.visualize(options.reference), options, output)
        return ExitCode.OK
    with opened_history(options) as history:
        _show(history.artifact(options.reference), options, output)
    return ExitCode.OK


def _show(version: ArtifactVersionView, options: argparse.Namespace, output: Output) -> None:
    found = version.visualizations
    page = version.visualize(options.output) if found or found.problems else None
    record: Visualizations = {
        "kind": "visualizations",
        "v": 1,
        "artifact_version": version_record(version),
        "visualizations": [
            {
                "name": one.name,
                "media_type": one.media_type,
                "size_bytes": one.size_bytes,
                "blob": str(one.blob),
            }
            for one in found
        ],
        "problems": list(found.problems),
        "page": None if page is None else str(page),
    }
    output.document(record, _sections)


def _sections(record: Visualizations) -> Iterator[Section]:
    shown = record["visualizations"]
    nothing = "none; draw it with --again, if it can be"
    yield Fields(
        "",
        [
            ("version", record["artifact_version"]["reference"]),
            ("page", record["page"] or nothing),
            *(("problem", problem) for problem in record["problems"]),
        ],
    )
    rows = ((one["name"], one["media_type"], size_text(one["size_bytes"])) for one in shown)
    if shown:
        yield Table("visualizations", ("name", "media type", "size"), rows)
