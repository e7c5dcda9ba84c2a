"""The read side: views of what happened, lineage, and any past moment. Reading can't run anything."""

from .history import History
from .lineage import Lineage, Node, Production
from .reader import Reader, newest_content
from .references import check_name
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
    "History",
    "Lineage",
    "Node",
    "PipelineVersionView",
    "PipelineView",
    "Production",
    "Reader",
    "RunView",
    "StepRunView",
    "check_name",
    "newest_content",
]
