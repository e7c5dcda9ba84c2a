"""What depends on runs and artifact versions: what took them, what reuses them, and what is named after them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..cas.digest import Digest
from ..events.catalogue import StepReused
from ..events.ids import RunId
from ..events.projections import Lineage
from ..events.rows import key
from ..history import ArtifactVersionView, RunView
from ..history.deletion import present
from ..history.eviction import pinned_as
from ..history.labels import version_aliases
from ..history.reader import Reader


class Dependent(NamedTuple):
    """Something that refers to what is to go."""

    of: str
    """What is to go: a run, or a version as ``model@3``."""
    what: str
    """A step as ``training-3/evaluate``, or an alias as ``model@champion``."""
    how: str
    """``took it``, ``reuses its results`` or ``points to it``."""


class Kept(NamedTuple):
    """An output of a run that stays."""

    version: str
    reason: str


def dependents_of(
    reader: Reader, runs: Iterable[RunView], versions: Iterable[ArtifactVersionView]
) -> Iterator[Dependent]:
    """What refers to these and is not among them, lazily."""
    gone = {run.id for run in runs}
    for version in versions:
        for alias in version_aliases(reader, version.name, version.content):
            yield Dependent(str(version), f"{version.name}@{alias}", "points to it")
        for step in present(reader, version.consumers):
            if step.id.run not in gone:
                yield Dependent(str(version), f"{step.run.name}/{step.name}", "took it")
    for run in runs:
        yield from _reusing(reader, run, gone)


def _reusing(reader: Reader, run: RunView, gone: set[RunId]) -> Iterator[Dependent]:
    """The steps of runs that are not to go that were served with what a run's steps made."""
    told: set[str] = set()
    for content in dict.fromkeys(version.content for step in run.steps.values() for version in step.outputs.values()):
        for seq, row in reader.rows(Lineage.name).history(key("p", content)):
            event = reader.event(seq).event if row and not row[3] else None
            if isinstance(event, StepReused) and event.reuses.run == run.id and event.run not in gone:
                other = RunView(reader, event.run)
                title = f"{other.name}/{event.step}"
                if other.deletion is None and title not in told:
                    told.add(title)
                    yield Dependent(run.name, title, "reuses its results")


def outputs_of(
    reader: Reader, runs: tuple[RunView, ...], *, is_wanted: bool
) -> tuple[tuple[ArtifactVersionView, ...], tuple[Kept, ...]]:
    """The versions that runs gave: those that go with them, and those that stay."""
    given = dict.fromkeys(
        version
        for run in runs
        for step in run.steps.values()
        for version in step.outputs.values()
        if version.deletion is None
    )
    if not is_wanted:
        return (), tuple(Kept(str(version), "outputs were not asked for") for version in given)
    gone = {run.id for run in runs}
    reasons = {version: _need(reader, version, gone) for version in given}
    going = tuple(version for version, reason in reasons.items() if reason is None)
    return going, tuple(Kept(str(version), reason) for version, reason in reasons.items() if reason is not None)


def _need(reader: Reader, version: ArtifactVersionView, gone: set[RunId]) -> str | None:
    """Why a version stays though the runs go."""
    content: Digest = version.content
    if labels := pinned_as(reader, content, reader.now_us):
        return f"pinned as {labels[0]}"
    if aliases := version_aliases(reader, version.name, content):
        return f"aliased {aliases[0]}"
    for _, row in reader.rows(Lineage.name).history(key("p", content)):
        if not row:
            return "saved or named by hand, too"
        maker = RunView(reader, RunId(row[0]))
        if maker.id not in gone and maker.deletion is None:
            return f"run {maker.name} gave it, too"
    for step in present(reader, version.consumers):
        if step.id.run not in gone:
            return f"{step.run.name}/{step.name} took it"
    return None
