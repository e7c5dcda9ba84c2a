"""Whether a name can be given: what is called so already keeps it, whoever else wants to be called so at once."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import Conflict, PipelineNotFound, RunNotFound
from ..events.catalogue import ArtifactRenamed, Event, PipelineRenamed, RunRenamed
from ..events.ids import RunId
from .pipeline_names import pipeline_named
from .reader import Reader
from .run_names import run_named
from .views import ArtifactView

_NAMING = (RunRenamed, PipelineRenamed, ArtifactRenamed)


def gives_names(events: Iterable[Event]) -> bool:
    """Whether `require_free` has anything to say of these events."""
    return any(isinstance(one, _NAMING) for one in events)


def require_free(reader: Reader, events: Iterable[Event]) -> None:
    """Raise `Conflict` if one of these events gives a name that something else has, or takes one that nothing has.

    It holds where they are appended under the write lock under which this was asked, by an `ExclusiveReader`.
    """
    for event in events:
        match event:
            case RunRenamed(_, name):
                _require_no_run(reader, name)
            case PipelineRenamed(_, name):
                _require_no_pipeline(reader, name)
            case ArtifactRenamed(old, name):
                _require_artifact(reader, old, name)


def run_called(reader: Reader, name: str) -> RunId | None:
    """The newest run that is called so today."""
    try:
        return run_named(reader, name)
    except RunNotFound:
        return None


def _require_no_run(reader: Reader, name: str) -> None:
    if run_called(reader, name) is not None:
        raise Conflict(f"another run is called {name!r}", hint="Choose another name.")


def _require_no_pipeline(reader: Reader, name: str) -> None:
    try:
        if pipeline_named(reader, name) is None:
            return
    except PipelineNotFound:
        return
    raise Conflict(f"there is a pipeline {name!r}", hint="Choose another name, or call that one otherwise first.")


def _require_artifact(reader: Reader, old: str, name: str) -> None:
    if not ArtifactView(reader, old).versions:
        raise Conflict(f"artifact {old} has no version to be renamed", hint="Choose another one.")
    if ArtifactView(reader, name).versions:
        raise Conflict(f"there is an artifact {name!r}", hint="Choose another name, or delete that one first.")
