"""The read side: views of what happened, lineage, and any past moment. Reading can't run anything."""

from ..events.liveness import Pin
from .eviction import Eviction, Release
from .history import History, When
from .holding import Hold, Holding, HoldingEvent
from .lineage import Lineage, Node, Production
from .reader import Reader, newest_content
from .references import check_name
from .replay import Printed, Scene
from .retention import Plan, Retention, Verdict
from .views import (
    ArtifactVersionView,
    ArtifactView,
    PipelineVersionView,
    PipelineView,
    RunView,
    StepRunView,
)

__all__ = [
    "ArtifactVersionView",
    "ArtifactView",
    "Eviction",
    "History",
    "Hold",
    "Holding",
    "HoldingEvent",
    "Lineage",
    "Node",
    "Pin",
    "PipelineVersionView",
    "PipelineView",
    "Plan",
    "Printed",
    "Production",
    "Reader",
    "Release",
    "Retention",
    "RunView",
    "Scene",
    "StepRunView",
    "Verdict",
    "When",
    "check_name",
    "newest_content",
]
