"""Which step runs an export tells of: those of some runs, or all that went into some artifact versions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from ..events.ids import StepRunId
from .views import ArtifactVersionView, RunView, StepRunView


def step_runs_behind(things: Iterable[RunView | StepRunView | ArtifactVersionView]) -> list[StepRunView]:
    """The step runs of runs, and of the others the first that made them; and whatever those took or reuse, upstream.

    Each once, the nearest first.
    """
    waiting: deque[StepRunView] = deque()
    for thing in things:
        waiting.extend(_first(thing))
    found: dict[StepRunId, StepRunView] = {}
    while waiting:
        step = waiting.popleft()
        if step.id in found:
            continue
        found[step.id] = step
        if step.reuses is not None:
            waiting.append(step.reuses)
        for version in step.inputs.values():
            waiting.extend(version.producers[:1])
    return list(found.values())


def _first(thing: RunView | StepRunView | ArtifactVersionView) -> list[StepRunView]:
    if isinstance(thing, RunView):
        return list(thing.steps.values())
    return [thing] if isinstance(thing, StepRunView) else thing.producers[:1]
