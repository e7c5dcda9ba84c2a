"""The verb ``get``."""

from __future__ import annotations

import argparse

from ..errors import ArtifactNotFound
from ..history import FILE_FORMS, ArtifactVersionView
from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history
from .transfer_kinds import Got
from .units import size_text

EXAMPLE = "lineal get digits-model@1 model.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Write an artifact version as a file that other programs read: a table as Parquet, CSV or JSON, an array as "
        ".npy, CSV or JSON, an image as PNG, plain values as JSON, text as it is, files and directories as they were. "
        "No code of the value runs: of one that is pickled, what it shows of itself can be written."
    )
    parser.add_argument("reference", metavar="REF", help="name, name@3, name@latest, name@alias, or run/step")
    parser.add_argument("target", metavar="PATH", nargs="?", help="by default a file here, named for the artifact")
    parser.add_argument(
        "--as", dest="form", choices=FILE_FORMS, help="by default what the extension of PATH says, else what suits best"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Write a version."""
    with opened_history(options) as history:
        found = history.find(options.reference)
        version = found if isinstance(found, ArtifactVersionView) else getattr(found, "output", None)
        if not isinstance(version, ArtifactVersionView):
            raise ArtifactNotFound(f"{options.reference!r} names no artifact", hint="See `lineal artifacts`.")
        written = version.export(options.target, form=options.form, overwrite=options.force)
        record: Got = {
            "kind": "got",
            "v": 1,
            "artifact_version": str(version),
            "content": str(version.content),
            "path": str(written.path),
            "form": str(written.form),
            "size_bytes": written.size_bytes,
        }
        output.document(record, _sections)
    return ExitCode.OK


def _sections(record: Got) -> list[Section]:
    size = size_text(record["size_bytes"])
    return [Fields("", [("artifact", record["artifact_version"]), (record["form"], record["path"]), ("size", size)])]
