"""Parcels: tasks on their way to another process, and what keeps a worker from running other code than was digested."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

from ..cas import Batch, BlobFiles, Digest, PlacedBlobs, Row
from ..errors import Conflict
from .fingerprint import CodeManifest, code_manifest
from .reports import GatheredReports
from .task import Task, execute

_SOURCES = ("def:", "class:", "module:")
"""Symbols whose digest is that of source text; the values of globals may differ between processes, as ever."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A task on its way to another process, with what the store knows of the blobs it needs."""

    root: Path
    task: Task
    code: bytes
    """The code manifest that the fingerprint was made with, encoded."""
    rows: Mapping[Digest, Row]
    """Where the inputs' blobs are, and those that outputs may succeed."""
    succeeded: Mapping[str, Digest | None]
    """Contents of the newest versions of the artifacts that the outputs become."""
    run_name: str

    def packed(self) -> bytes:
        """The parcel in bytes: functions that can't be imported elsewhere, as those of the main program, go along."""
        import cloudpickle

        class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
            """Sends the function of a declared step by the step's name, as a plain function would be."""

            def reducer_override(self, value: Any) -> Any:
                if type(value) is FunctionType and _is_declared(value):
                    return _declared, (value.__module__, value.__qualname__)
                return super().reducer_override(value)

        buffer = io.BytesIO()
        Pickler(buffer).dump(self)
        return buffer.getvalue()


def execute_parcel(data: bytes) -> bytes:
    """Execute a packed `Parcel` in this process; give the packed `Result`.

    The step's code is digested here too: a worker imports modules from disk, where they may have changed since
    the driver loaded them, and a result of other code must not enter the cache.
    """
    parcel: Parcel = pickle.loads(data)
    _check_code(parcel)
    files = BlobFiles(parcel.root)
    placed = PlacedBlobs(files, parcel.rows.get)
    reports = GatheredReports(parcel.run_name, files)
    return execute(parcel.task, Batch(files, placed.find), placed, parcel.succeeded.get, reports).packed()


def _check_code(parcel: Parcel) -> None:
    diff = CodeManifest.decode(parcel.code).diff(code_manifest(parcel.task.function))
    changed = [symbol for symbol in diff.changed if symbol.startswith(_SOURCES) and not _travelled(symbol)]
    if changed:
        raise Conflict(
            f"the source of step {parcel.task.step!r} changed while the pipeline ran: {changed[0]}",
            hint="Start the program again.",
            step=parcel.task.step,
        )


def _travelled(symbol: str) -> bool:
    """Whether code came with the parcel, as that of the main program does, rather than from this machine's disk."""
    return ":__main__:" in symbol or "<locals>" in symbol or "<lambda>" in symbol


def _is_declared(function: FunctionType) -> bool:
    """Whether another process finds this function by importing the step that it is declared as."""
    if function.__module__ == "__main__" or "<locals>" in function.__qualname__:
        return False
    module = sys.modules.get(function.__module__)
    found: Any = module
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return getattr(found, "function", None) is function


def _declared(module: str, qualname: str) -> Any:
    """The function of the step of this name."""
    return reduce(getattr, qualname.split("."), import_module(module)).function
