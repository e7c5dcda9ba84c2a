"""What a reference on the command line means, among all that has a name."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from ..errors import InvalidReference, NotFound, StepNotFound
from ..history import ArtifactVersionView, History, PipelineView, RunView, StepRunView
from ..history.references import near

Found = RunView | StepRunView | ArtifactVersionView | PipelineView

KINDS = ("run", "step", "artifact", "pipeline")
ORDER = "a run's name or id, run/step, an artifact version, a pipeline, the beginning of a run's id"
"""The order in which a reference is tried; the first that is there is meant."""

_NEAR_RUNS = 1000


def resolve(history: History, reference: str, kind: str | None = None) -> Found:
    """Find what a reference names, tried in the documented `ORDER`, or as one kind only.

    Raises:
        NotFound: Nothing is called so; the hint says what is near.
        InvalidReference: It is the beginning of several runs' ids, and nothing else.
    """
    lookups: dict[str, Callable[[str], Found]] = {
        "run": history.run,
        "step": history.step_run,
        "artifact": history.artifact,
        "pipeline": history.pipeline,
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
        raise _miss(history, reference, misses)
    return run_of_prefix


def _miss(
    history: History, reference: str, misses: dict[str, NotFound | InvalidReference]
) -> NotFound | InvalidReference:
    """The miss that says most: of a version or a step where the rest of the reference is right."""
    if isinstance(misses["run"], InvalidReference):
        return misses["run"]
    if "@" in reference:
        return misses["artifact"]
    if isinstance(misses["step"], StepNotFound):
        return misses["step"]
    known = [pipeline.name for pipeline in history.pipelines()]
    known += [artifact.name for artifact in history.artifacts()]
    known += [run.name for run in islice(history.runs(), _NEAR_RUNS)]
    return NotFound(f"nothing is called {reference!r}", hint=near(reference, known))
