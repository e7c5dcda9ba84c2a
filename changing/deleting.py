"""Deleting runs and artifact versions: what goes, what it frees, and what depends on it, told before it is done.

What is deleted is in no list, and no name leads to it; lineage and the cache know it as before. A content is released
with its last version, so that the next collection frees its bytes; until then it can be had back whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from ..cas.digest import Digest
from ..errors import Conflict, InvalidReference
from ..events.catalogue import ContentsReleased, Deleted, Event, Subject
from ..events.codec import Envelope
from ..events.liveness import DECODED, Liveness
from ..history import ArtifactVersionView, ArtifactView, PipelineView, RunView, View
from ..history.closure import Closure
from ..history.deletion import is_deleted
from ..history.eviction import is_literal, pinned_as
from ..history.reader import Reader
from ..history.retention import running_runs
from ..store import Store, now_us
from .dependents import Dependent, Kept, dependents_of, outputs_of
from .recording import SUBJECTS_MAX, record

DEPENDENTS_MAX = 100
"""How many dependents are named."""
_CONTENTS_MAX = 1000
"""How many contents one event releases; a thousand take about 35 kB."""


class _Chosen(NamedTuple):
    """What is to be deleted."""

    runs: tuple[RunView, ...]
    versions: tuple[ArtifactVersionView, ...]
    kept: tuple[Kept, ...]


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion did, or would do."""

    is_dry_run: bool
    runs: tuple[str, ...]
    """Names of the runs that go."""
    versions: tuple[str, ...]
    """The artifact versions that go, as ``model@3``."""
    kept: tuple[Kept, ...]
    """Outputs of the runs that stay, and why."""
    dependents: tuple[Dependent, ...]
    """What refers to what goes, the first `DEPENDENTS_MAX`; lineage goes on to show what they refer to."""
    released: tuple[str, ...]
    """The versions whose content nothing else names: the next collection frees it."""
    freed_bytes: int
    """What that will free, as far as other contents do not share it."""
    seqs: tuple[int, ...]
    """Positions of the events that deleted, for `undo`; none of a dry run."""


def delete(store: Store, of: View, *, outputs: bool, is_dry_run: bool, reason: str) -> Deletion:
    """Delete a run, all runs of a pipeline, an artifact version, or all versions of an artifact; durable on return.

    Args:
        store: Where.
        of: What.
        outputs: Of runs: delete as well the artifact versions that only they made, and nothing else refers to.
        is_dry_run: Say what would happen, and do nothing.
        reason: Why, for whoever asks later.

    Raises:
        InvalidReference: It is a step, which goes with its run only; or it is deleted already.
        Conflict: A run goes on, or takes a version that would go; or a pin holds one.
    """
    store.flush()
    reader = Reader(store, store.head().seq)
    chosen = _chosen(reader, of, outputs)
    released = released_with(reader, chosen.versions)
    _refuse(reader, chosen, released)
    events = [] if is_dry_run else deletions(reader, [one.subject for one in (*chosen.runs, *chosen.versions)], reason)
    return Deletion(
        is_dry_run=is_dry_run,
        runs=tuple(run.name for run in chosen.runs),
        versions=tuple(map(str, chosen.versions)),
        kept=chosen.kept,
        dependents=tuple(islice(dependents_of(reader, chosen.runs, chosen.versions), DEPENDENTS_MAX)),
        released=tuple(str(version) for version in chosen.versions if version.content in released),
        freed_bytes=_freed_bytes(reader, released),
        seqs=record(store, events, Deleted.TYPE),
    )


def deletions(reader: Reader, subjects: Iterable[Subject], reason: str) -> list[Event]:
    """The events that delete these, as of a reader's position, and release what has no other version."""
    listed, upto = list(subjects), reader.head_seq
    starts = range(0, len(listed), SUBJECTS_MAX)
    events: list[Event] = [Deleted(tuple(listed[at : at + SUBJECTS_MAX]), upto, reason) for at in starts]
    versions = [ArtifactVersionView(reader, one.name, Digest(one.id)) for one in listed if one.kind == "version"]
    released = list(released_with(reader, versions))
    for start in range(0, len(released), _CONTENTS_MAX):
        contents = tuple(released[start : start + _CONTENTS_MAX])
        events.append(ContentsReleased(contents, reason or "deleted", upto))
    return events


def released_with(reader: Reader, versions: Iterable[ArtifactVersionView]) -> dict[Digest, None]:
    """The contents that have no version but these and deleted ones, and that no step took as a literal."""
    going = {(version.name, version.content) for version in versions}
    contents = dict.fromkeys(content for _, content in going)
    return {content: None for content in contents if _is_last(reader, content, going)}


def _is_last(reader: Reader, content: Digest, going: set[tuple[str, Digest]]) -> bool:
    names = [name for name, _ in reader.names_of(content)]
    staying = [name for name in names if (name, content) not in going]
    is_gone = all(is_deleted(reader, Subject("version", name, content)) for name in staying)
    return is_gone and not is_literal(reader, content)


def _chosen(reader: Reader, of: View, outputs: bool) -> _Chosen:
    runs: tuple[RunView, ...] = ()
    versions: tuple[ArtifactVersionView, ...] = ()
    kept: tuple[Kept, ...] = ()
    if isinstance(of, ArtifactVersionView):
        versions = (ArtifactVersionView(reader, of.name, of.content),)
    elif isinstance(of, ArtifactView):
        versions = tuple(ArtifactView(reader, of.name).versions)
    elif isinstance(of, RunView | PipelineView):
        runs = (RunView(reader, of.id),) if isinstance(of, RunView) else tuple(PipelineView(reader, of.first_name).runs)
        versions, kept = outputs_of(reader, runs, is_wanted=outputs)
    else:
        raise InvalidReference(f"{of!r} goes with its run only", hint="Delete the run.")
    if not any(one.deletion is None for one in runs) and not any(one.deletion is None for one in versions):
        raise InvalidReference(f"{of!r} is deleted already", hint="Run `lineal undo` to have it back.")
    return _Chosen(runs, versions, kept)


def _refuse(reader: Reader, chosen: _Chosen, released: Iterable[Digest]) -> None:
    for run in running_runs(reader.at_present()):
        if run in chosen.runs:
            raise Conflict(f"run {run.name} goes on", hint=f"Wait, or run `lineal cancel {run.name}`.")
        for step in run.steps.values():
            for taken in (*step.inputs.values(), *step.outputs.values()):
                if taken in chosen.versions:
                    raise Conflict(
                        f"{taken} is in use by run {run.name}, which goes on", hint="Wait until it has ended."
                    )
    contents = set(released)
    for version in chosen.versions:
        labels = pinned_as(reader, version.content, now_us()) if version.content in contents else []
        if labels:
            raise Conflict(f"{version} is pinned as {labels[0]}", hint=f"Run `lineal unpin {labels[0]}` first.")


def _freed_bytes(reader: Reader, released: Iterable[Digest]) -> int:
    """What the next collection frees more, if these go. Cost: reads the log's envelopes and every manifest held."""
    going = list(released)
    if not going:
        return 0
    liveness = Liveness()
    liveness.fold(reader.store.log.envelopes(0, DECODED))
    at_us = now_us()
    held = liveness.held(at_us)
    closure = Closure(reader.store.blobs, map(Digest, held))
    before_bytes = closure.size_bytes
    foretold = ContentsReleased(tuple(going), "", liveness.upto)
    liveness.fold([Envelope(liveness.upto + 1, foretold.TYPE, b"", [], foretold)])
    for content in held - liveness.held(at_us):
        closure.drop(Digest(content))
    return before_bytes - closure.size_bytes
