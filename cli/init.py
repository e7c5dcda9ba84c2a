"""The verb ``init``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..client import open as open_client
from ..errors import Invalid, StoreNotFound
from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .upkeep_kinds import Initialization

EXAMPLE = "lineal init"
_DIRECTORY = ".lineal"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Make a store: .lineal in a directory, where whatever runs there or below finds it. "
        "Where there is one already, it is left as it is."
    )
    parser.add_argument(
        "directory",
        metavar="DIR",
        nargs="?",
        help="the directory; by default what --store or LINEAL_STORE names is the store itself, else this directory",
    )


def execute(options: argparse.Namespace, output: Output) -> int:
    """Make a store."""
    if options.directory is not None and options.store is not None:
        raise Invalid("a directory and --store both say where the store is to be", hint="Give one of them.")
    path = _place(options.directory, options.store)
    is_new = _is_missing(path)
    with open_client(path) as client:
        record: Initialization = {
            "kind": "initialization",
            "v": 1,
            "path": str(client.path),
            "id": str(next(client.events()).origin),
            "is_new": is_new,
        }
    output.document(record, _sections)
    return ExitCode.OK


def _place(directory: str | None, store: str | None) -> Path:
    """Where the store is to be: as `lineal.open` looks for it, but that one further up does not stand in for it."""
    if directory is not None:
        return Path(directory) / _DIRECTORY
    named = store if store is not None else os.environ.get("LINEAL_STORE")
    return Path(named).expanduser() if named else Path(_DIRECTORY)


def _is_missing(path: Path) -> bool:
    try:
        open_client(path, create=False).close()
    except StoreNotFound:
        return True
    except Invalid:
        if path.is_dir() and not any(path.iterdir()):
            return True
        raise
    return False


def _sections(record: Initialization) -> list[Section]:
    return [Fields("", [("new store" if record["is_new"] else "store", record["path"]), ("id", record["id"])])]
