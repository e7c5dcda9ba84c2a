"""Which two things are compared: what was named, or the one that came before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from ...errors import InvalidReference, RunNotFound, StepNotFound
from ..finding import Found
from ..reader import Reader
from ..views import ArtifactVersionView, PipelineView, RunView, StepRunView
from .blame import version_before
from .runs import RunDiff, run_diff
from .steps import StepDiff, step_diff
from .versions import VersionDiff, version_diff

Diff = RunDiff | StepDiff | VersionDiff

T = TypeVar("T")


def compared(reader: Reader, old: Found | None, new: Found, *, load: bool, allow_pickle: bool) -> Diff:
    """Compare two things of one kind; without an old one, with what came before.

    A pipeline stands for its newest run.

    Raises:
        InvalidReference: They are of two kinds.
        NotFound: There is nothing before.
    """
    one, other = (found.latest if isinstance(found, PipelineView) else found for found in (old, new))
    if isinstance(other, RunView) and isinstance(one, RunView | None):
        return run_diff(reader, one or run_before(reader, other), other)
    if isinstance(other, StepRunView) and isinstance(one, StepRunView | None):
        return step_diff(reader, one or step_before(reader, other), other)
    if isinstance(other, ArtifactVersionView) and isinstance(one, ArtifactVersionView | None):
        before = one or version_before(reader, other)
        return version_diff(reader, before, other, load=load, allow_pickle=allow_pickle)
    raise InvalidReference(
        f"{one!r} and {other!r} are not of one kind",
        hint="Name two runs, two steps as in training-2/fit, or two artifact versions.",
    )


def run_before(reader: Reader, run: RunView) -> RunView:
    """The run of the same pipeline that began before. Raises `RunNotFound` for the first."""
    pipeline = PipelineView(reader, run.pipeline.first_name)
    hint = "Name what to compare it with."
    return _first(_earlier(pipeline, run), RunNotFound(f"{run.name} is the first run of its pipeline", hint=hint))


def step_before(reader: Reader, step: StepRunView) -> StepRunView:
    """The step of this name in the newest earlier run that has it. Raises `StepNotFound` where none has."""
    pipeline = PipelineView(reader, step.run.pipeline.first_name)
    found = (steps[step.name] for run in _earlier(pipeline, step.run) if step.name in (steps := run.steps))
    hint = "Name what to compare it with."
    return _first(found, StepNotFound(f"no run before {step.run.name} has a step {step.name!r}", hint=hint))


def _earlier(pipeline: PipelineView, run: RunView) -> Iterator[RunView]:
    return (one for one in pipeline.runs if one.seq < run.seq)


def _first(found: Iterator[T], error: Exception) -> T:
    for one in found:
        return one
    raise error
