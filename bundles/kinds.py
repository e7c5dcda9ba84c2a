"""Which types of event a bundle brings: those that tell of runs, steps and values, and what people say of them.

What a store does to keep itself in order stays behind: releases, evictions, pins, deletions, claims. What of it matters
elsewhere, the table of the bundle says.
"""

from __future__ import annotations

from ..events.catalogue import (
    AliasRemoved,
    AliasSet,
    Annotated,
    AnnotationsRemoved,
    ArtifactNamed,
    ArtifactSaved,
    CodeCaptured,
    ContentVisualized,
    DivergenceSeen,
    EnvironmentCaptured,
    MetricsLogged,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunInterrupted,
    RunRenamed,
    RunRenewed,
    RunStarted,
    StepCompleted,
    StepFailed,
    StepRetried,
    StepReused,
    StepSkipped,
    StepStarted,
    StepStopped,
    StoreCreated,
    Tagged,
    Untagged,
)

OF_RUNS = frozenset(
    one.TYPE for one in (RunStarted, RunRenewed, RunCompleted, RunFailed, RunCancelled, RunInterrupted, RunRenamed)
)
OF_STEPS = frozenset(
    one.TYPE
    for one in (
        StepStarted,
        StepCompleted,
        StepReused,
        StepFailed,
        StepRetried,
        StepStopped,
        StepSkipped,
        DivergenceSeen,
    )
)
LABELS = frozenset(one.TYPE for one in (Tagged, Untagged, Annotated, AnnotationsRemoved, MetricsLogged))
ALIASES = frozenset(one.TYPE for one in (AliasSet, AliasRemoved))
CAPTURED = frozenset(one.TYPE for one in (CodeCaptured, EnvironmentCaptured))
EXPORTED = frozenset(
    {*OF_RUNS, *OF_STEPS, *LABELS, *ALIASES, *CAPTURED, StoreCreated.TYPE, ContentVisualized.TYPE}
    | {ArtifactSaved.TYPE, ArtifactNamed.TYPE}
)
"""The types of event that a bundle brings."""

ENDS = frozenset(one.TYPE for one in (RunCompleted, RunFailed, RunCancelled, RunInterrupted))
"""Those that end a run."""
