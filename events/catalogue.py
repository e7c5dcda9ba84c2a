"""The catalogue: every type of event there is, by its name and schema version."""

from __future__ import annotations

from .facts.base import Event, Unknown
from .facts.causes import (
    ClaimEnded,
    CodeCaptured,
    EnvironmentCaptured,
    EquivalenceDeclared,
    EquivalenceRevoked,
    FingerprintClaimed,
)
from .facts.contents import (
    ArtifactNamed,
    ArtifactSaved,
    ContentRecomputed,
    ContentsEvicted,
    ContentsReleased,
    PinAdded,
    PinRemoved,
)
from .facts.labels import (
    AliasRemoved,
    AliasSet,
    Annotated,
    AnnotationsRemoved,
    MetricsLogged,
    Tagged,
    Untagged,
)
from .facts.records import Difference, Failure, Input, MetricColumn, Output, Process, Resources, Subject
from .facts.runs import RunCancelled, RunCompleted, RunFailed, RunInterrupted, RunRenewed, RunStarted
from .facts.steps import (
    DivergenceSeen,
    StepCompleted,
    StepFailed,
    StepRetried,
    StepReused,
    StepSkipped,
    StepStarted,
)
from .facts.stores import StoreCreated, StoreImported

CATALOGUE: dict[str, type[Event]] = {
    event.TYPE: event
    for event in (
        StoreCreated,
        StoreImported,
        RunStarted,
        RunRenewed,
        RunCompleted,
        RunFailed,
        RunCancelled,
        RunInterrupted,
        StepStarted,
        StepCompleted,
        StepReused,
        StepFailed,
        StepRetried,
        StepSkipped,
        DivergenceSeen,
        ArtifactSaved,
        ArtifactNamed,
        ContentsReleased,
        ContentsEvicted,
        ContentRecomputed,
        PinAdded,
        PinRemoved,
        Tagged,
        Untagged,
        AliasSet,
        AliasRemoved,
        Annotated,
        AnnotationsRemoved,
        MetricsLogged,
        EnvironmentCaptured,
        CodeCaptured,
        EquivalenceDeclared,
        EquivalenceRevoked,
        FingerprintClaimed,
        ClaimEnded,
    )
}
"""Every type of event, by name and schema version."""

__all__ = [
    "CATALOGUE",
    "AliasRemoved",
    "AliasSet",
    "Annotated",
    "AnnotationsRemoved",
    "ArtifactNamed",
    "ArtifactSaved",
    "ClaimEnded",
    "CodeCaptured",
    "ContentRecomputed",
    "ContentsEvicted",
    "ContentsReleased",
    "Difference",
    "DivergenceSeen",
    "EnvironmentCaptured",
    "EquivalenceDeclared",
    "EquivalenceRevoked",
    "Event",
    "Failure",
    "FingerprintClaimed",
    "Input",
    "MetricColumn",
    "MetricsLogged",
    "Output",
    "PinAdded",
    "PinRemoved",
    "Process",
    "Resources",
    "RunCancelled",
    "RunCompleted",
    "RunFailed",
    "RunInterrupted",
    "RunRenewed",
    "RunStarted",
    "StepCompleted",
    "StepFailed",
    "StepRetried",
    "StepReused",
    "StepSkipped",
    "StepStarted",
    "StoreCreated",
    "StoreImported",
    "Subject",
    "Tagged",
    "Unknown",
    "Untagged",
]
