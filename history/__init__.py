"""The read side: views of what happened, lineage, and any past moment. Reading can't run anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..events.liveness import Pin
from .attempts import Attempt
from .eviction import Eviction, Release
from .finding import KINDS as FOUND_KINDS
from .finding import ORDER as FOUND_ORDER
from .history import History
from .labels import SUBJECT_KINDS
from .lineage import Lineage
from .lineage_parts import Node, Production, VersionKey
from .logs import LogLine, level_name
from .metrics import MetricView, Point, Series
from .reader import Reader, newest_content
from .references import check_alias, check_name
from .reuse import Meanings, executed_at, execution_at
from .seen_log import When
from .surroundings import Checkout
from .trust import Imported, Trust, may_execute
from .views import (
    ArtifactVersionView,
    ArtifactView,
    Divergence,
    PipelineVersionView,
    PipelineView,
    RunView,
    StepRunView,
    View,
    name_of,
)

if TYPE_CHECKING:
    from .comparing.bisection import Bisection
    from .comparing.blame import Blame
    from .comparing.runs import RunDiff
    from .comparing.steps import StepDiff
    from .comparing.versions import VersionDiff
    from .footprint import Footprint, footprints
    from .holding import Hold, Holding, HoldingEvent
    from .openlineage import openlineage_events
    from .prov import prov_document
    from .reasons import Reason
    from .replay import Printed, Scene
    from .retention import Plan, Retention, Verdict
    from .scope import step_runs_behind
    from .visualizations import Visualizations, VisualizationView, content_visualized, is_visualized
    from .why import Why

    FILE_FORMS: tuple[str, ...]
    """What a version can be exported as."""

__all__ = [
    "FILE_FORMS",
    "FOUND_KINDS",
    "FOUND_ORDER",
    "SUBJECT_KINDS",
    "ArtifactVersionView",
    "ArtifactView",
    "Attempt",
    "Bisection",
    "Blame",
    "Checkout",
    "Divergence",
    "Eviction",
    "Footprint",
    "History",
    "Hold",
    "Holding",
    "HoldingEvent",
    "Imported",
    "Lineage",
    "LogLine",
    "Meanings",
    "MetricView",
    "Node",
    "Pin",
    "PipelineVersionView",
    "PipelineView",
    "Plan",
    "Point",
    "Printed",
    "Production",
    "Reader",
    "Reason",
    "Release",
    "Retention",
    "RunDiff",
    "RunView",
    "Scene",
    "Series",
    "StepDiff",
    "StepRunView",
    "Trust",
    "Verdict",
    "VersionDiff",
    "VersionKey",
    "View",
    "VisualizationView",
    "Visualizations",
    "When",
    "Why",
    "check_alias",
    "check_name",
    "content_visualized",
    "executed_at",
    "execution_at",
    "footprints",
    "is_visualized",
    "level_name",
    "may_execute",
    "name_of",
    "newest_content",
    "openlineage_events",
    "prov_document",
    "step_runs_behind",
]


def __getattr__(name: str) -> Any:
    """Import on use what few ask for, so that the command line starts sooner."""
    if name == "Bisection":
        from .comparing.bisection import Bisection

        return Bisection
    if name in {"Blame", "RunDiff", "StepDiff", "VersionDiff"}:
        from .comparing import blame, runs, steps, versions

        return {**vars(blame), **vars(runs), **vars(steps), **vars(versions)}[name]
    if name == "FILE_FORMS":
        from ..materializers.natural import FileForm

        return tuple(map(str, FileForm))
    if name == "openlineage_events":
        from .openlineage import openlineage_events

        return openlineage_events
    if name == "prov_document":
        from .prov import prov_document

        return prov_document
    if name == "step_runs_behind":
        from .scope import step_runs_behind

        return step_runs_behind
    if name in {"Footprint", "footprints"}:
        from . import footprint

        return getattr(footprint, name)
    if name in {"Hold", "Holding", "HoldingEvent"}:
        from . import holding

        return getattr(holding, name)
    if name in {"Plan", "Retention", "Verdict"}:
        from . import retention

        return getattr(retention, name)
    if name in {"Printed", "Scene"}:
        from . import replay

        return getattr(replay, name)
    if name in {"Visualizations", "VisualizationView", "content_visualized", "is_visualized"}:
        from . import visualizations

        return getattr(visualizations, name)
    if name in {"Reason", "Why"}:
        from . import why

        return getattr(why, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
