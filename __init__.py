"""Lineal: an event-sourced lineage store over content-addressed blobs, with the pipelines that fill it."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import Client, artifact, load, open, runs, save
    from .errors import LinealError
    from .history import Retention
    from .materializers import Materializer
    from .materializers.files import Directory, File
    from .pipeline import Artifact, Pipeline, Step, pipeline, row_groups, step, unmapped
    from .pipeline.executing.context import context, log_metadata, log_metric
    from .pipeline.repeating.reproduce import reproduce
    from .pipeline.repeating.rerun import rerun
    from .pipeline.running.progress import reporting
    from .pipeline.workers.pool import Processes

__version__ = "0.1.0"

_HOMES = {
    "Artifact": "pipeline",
    "Client": "client",
    "Directory": "materializers.files",
    "File": "materializers.files",
    "LinealError": "errors",
    "Materializer": "materializers",
    "Pipeline": "pipeline",
    "Processes": "pipeline.workers.pool",
    "Retention": "history",
    "Step": "pipeline",
    "artifact": "client",
    "context": "pipeline.executing.context",
    "load": "client",
    "log_metadata": "pipeline.executing.context",
    "log_metric": "pipeline.executing.context",
    "open": "client",
    "pipeline": "pipeline",
    "reporting": "pipeline.running.progress",
    "reproduce": "pipeline.repeating.reproduce",
    "rerun": "pipeline.repeating.rerun",
    "row_groups": "pipeline",
    "runs": "client",
    "save": "client",
    "step": "pipeline",
    "unmapped": "pipeline",
}

__all__ = [
    "Artifact",
    "Client",
    "Directory",
    "File",
    "LinealError",
    "Materializer",
    "Pipeline",
    "Processes",
    "Retention",
    "Step",
    "artifact",
    "context",
    "load",
    "log_metadata",
    "log_metric",
    "open",
    "pipeline",
    "reporting",
    "reproduce",
    "rerun",
    "row_groups",
    "runs",
    "save",
    "step",
    "unmapped",
]


class _Package(ModuleType):
    """Keeps the name ``pipeline`` for the decorator: the import system would bind the room of that name to it."""

    def __reduce__(self) -> Any:
        return import_module, (self.__name__,)  # A step of the main program that names us travels to other processes.

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "pipeline" and isinstance(value, ModuleType):
            import_module(".pipeline.running.progress", __name__).show_runs_with(_shown)
            value = value.pipeline
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def _shown(beginning: Any) -> Any:
    """What shows a run; a run that surely nobody sees costs no import."""
    is_asked = beginning.mode is not None or "LINEAL_PROGRESS" in os.environ
    if not is_asked and (sys.stderr is None or not sys.stderr.isatty()):
        return None
    return import_module(".cli.live", __name__).show(beginning)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'lineal' has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
