"""What a reference means among all that has a name: runs, step runs, artifact versions and pipelines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Protocol

from ..errors import InvalidReference, NotFound, StepNotFound
from .references import near
from .views import ArtifactVersionView, ArtifactView, PipelineView, RunView, StepRunView

Found = RunView | StepRunView | ArtifactVersionView | PipelineView

KINDS = ("run", "step", "artifact", "pipeline")
ORDER = "a run's name or id, run/step, an artifact version, a pipeline, the beginning of a run's id"
"""The order in which a reference is tried; the first that is there is meant."""

_NEAR_RUNS = 1000


class Known(Protocol):
    """What a reference is looked up in; a `History`."""

    def run(self, reference: str) -> RunView:
        """A run."""

    def step_run(self, reference: str) -> StepRunView:
        """A step run."""

    def artifact(self, reference: str) -> ArtifactVersionView:
        """An artifact version."""

    def pipeline(self, name: str) -> PipelineView:
        """A pipeline."""

    def runs(self) -> Iterator[RunView]:
        """All runs."""

    def pipelines(self) -> list[PipelineView]:
        """All pipelines."""

    def artifacts(self) -> list[ArtifactView]:
        """All artifacts."""


def find(known: Known, reference: str, kind: str | None = None) -> Found:
    """Find what a reference names, tried in the documented `ORDER`, or as one kind only.

    Raises:
        NotFound: Nothing is called so; the hint says what is near.
        InvalidReference: It is the beginning of several runs' ids, and nothing else.
    """
    lookups: dict[str, Callable[[str], Found]] = {
        "run": known.run,
        "step": known.step_run,
        "artifact": known.artifact,
        "pipeline": known.pipeline,
    }
    if kind is not None:
        return lookups[kind](reference)
    run_of_prefix: RunView | None = None
    misses: dict[str, NotFound | InvalidReference] = {}
    for tried, lookup in lookups.items():
        try:
            found = lookup(reference)
        except (NotFound, InvalidReference) as miss:
            misses[tried] = miss
            continue
        if not isinstance(found, RunView) or reference in (found.name, str(found.id)):
            return found
        run_of_prefix = found
    if run_of_prefix is None:
        raise _miss(known, reference, misses)
    return run_of_prefix


def _miss(known: Known, reference: str, misses: dict[str, NotFound | InvalidReference]) -> NotFound | InvalidReference:
    """The miss that says most: of a version or a step where the rest of the reference is right."""
    if isinstance(misses["run"], InvalidReference):
        return misses["run"]
    for miss in misses.values():
        if miss.details.get("was_there"):
            return miss
    if "@" in reference:
        return misses["artifact"]
    if isinstance(misses["step"], StepNotFound):
        return misses["step"]
    names = [pipeline.name for pipeline in known.pipelines()]
    names += [artifact.name for artifact in known.artifacts()]
    names += [run.name for run in islice(known.runs(), _NEAR_RUNS)]
    return NotFound(f"nothing is called {reference!r}", hint=near(reference, names))
