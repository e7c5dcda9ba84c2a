"""What events are about, as the views of it."""

from __future__ import annotations

from ..cas.digest import Digest
from ..events.catalogue import Subject
from ..events.ids import RunId, StepRunId
from .reader import Reader
from .views import ArtifactVersionView, ArtifactView, PipelineView, RunView, StepRunView, View


def view_of(reader: Reader, subject: Subject) -> View | None:
    """What an event is about; None for a kind that this version does not know."""
    kind, name, id_ = subject
    match kind:
        case "artifact":
            return ArtifactView(reader, name)
        case "version":
            return ArtifactVersionView(reader, name, Digest(id_))
        case "pipeline":
            return PipelineView(reader, name)
        case "run":
            return RunView(reader, RunId(id_))
        case "step":
            return StepRunView(reader, StepRunId(RunId(id_), name))
    return None
