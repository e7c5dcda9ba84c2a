"""The verb ``get``."""

from __future__ import annotations

import argparse
import shutil
import sys
from codecs import getincrementaldecoder
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from ..errors import ArtifactNotFound, Invalid
from ..history import FILE_FORMS, ArtifactVersionView
from .escape import visible_lines
from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import STDOUT, add_as_of, opened_history
from .transfer_kinds import Got
from .units import size_text

EXAMPLE = "lineal get digits-model@1 model.json"
_SNIFFED_BYTES = 8192


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Write an artifact version as a file that other programs read: a table as Parquet, CSV or JSON, an array as "
        ".npy, CSV or JSON, an image as PNG, plain values as JSON, text as it is, files and directories as they were. "
        "No code of the value runs: of one that is pickled, what it shows of itself can be written. To stdout goes the "
        "file alone; a terminal gets no binary one."
    )
    parser.add_argument("reference", metavar="REF", help="name, name@3, name@latest, name@alias, or run/step")
    parser.add_argument("target", metavar="PATH", nargs="?", help="- for stdout; by default a file here, named for it")
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
        if options.target == STDOUT:
            _print(version, options.form)
            return ExitCode.OK
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


def _print(version: ArtifactVersionView, form: str | None) -> None:
    """Write a version to stdout by way of a temporary file: what fails half-way has printed nothing."""
    with TemporaryDirectory(prefix="lineal-") as scratch:
        written = version.export(Path(scratch) / "value", form=form)
        if written.path.is_dir():
            raise Invalid(f"{version} is a directory", hint="Give a path to write it to.")
        with written.path.open("rb") as file:
            if not sys.stdout.isatty():
                shutil.copyfileobj(file, sys.stdout.buffer)
            elif is_text(file):
                sys.stdout.writelines(visible_lines(line.decode("utf-8", "backslashreplace")) for line in file)
            else:
                hint = "Send it into a file or a pipe, or choose a text form with --as, such as csv or json."
                raise Invalid(f"{version} as {written.form} is binary, which a terminal can't show", hint=hint)


def is_text(file: BinaryIO) -> bool:
    """Whether a file begins as UTF-8 without NUL, as texts do; leaves it at its beginning."""
    begin = file.read(_SNIFFED_BYTES)
    file.seek(0)
    try:
        getincrementaldecoder("utf-8")().decode(begin)
    except UnicodeDecodeError:
        return False
    return b"\0" not in begin


def _sections(record: Got) -> list[Section]:
    size = size_text(record["size_bytes"])
    return [Fields("", [("artifact", record["artifact_version"]), (record["form"], record["path"]), ("size", size)])]
