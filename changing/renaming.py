"""Renaming runs, artifacts and pipelines, in one commit each."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import InvalidReference, LinealError
from ..events.catalogue import (
    AliasSet,
    Annotated,
    ArtifactNamed,
    ArtifactRenamed,
    Deleted,
    Event,
    Output,
    PipelineRenamed,
    RunRenamed,
    Subject,
    Tagged,
)
from ..history import ArtifactVersionView, ArtifactView, PipelineView, RunView, View, check_name
from ..history.labels import aliased, annotations_of, tags_of
from ..history.name_taking import require_free
from ..history.reader import Reader
from ..store import Store
from .recording import SUBJECTS_MAX, record


class Renamed(NamedTuple):
    """What was renamed."""

    kind: str
    """``run``, ``artifact`` or ``pipeline``."""
    old: str
    name: str
    seq: int
    """Position of the event, for `undo`."""


def rename(store: Store, of: View, name: str) -> Renamed:
    """Call a run, an artifact or a pipeline otherwise; durable on return.

    An artifact's versions keep their numbers and labels. What pipelines make of it later comes under the name that
    their code says. A pipeline keeps its runs, versions and labels, and goes on with the runs of what is declared under
    its new name or one of before.

    Raises:
        InvalidName: It can't be called so.
        Conflict: Another one is called so.
        InvalidReference: It is a step, which is called as its function is.
    """
    store.flush()
    reader = Reader(store, store.head().seq)
    if isinstance(of, RunView):
        check_name(name, "run")
        old = RunView(reader, of.id).name
        (seq,) = record(store, [RunRenamed(of.id, name)])
        return Renamed("run", old, name, seq)
    if isinstance(of, ArtifactView):
        check_name(name, "artifact")
        artifact = ArtifactView(reader, of.name)
        require_free(reader, [ArtifactRenamed(of.name, name, 0)])  # Before what is there is looked through.
        (seq,) = record(store, _artifact_events(reader, artifact, name), ArtifactRenamed.TYPE)
        return Renamed("artifact", of.name, name, seq)
    if isinstance(of, PipelineView):
        check_name(name, "pipeline")
        old = PipelineView(reader, of.first_name).name
        (seq,) = record(store, [PipelineRenamed(old, name)])
        return Renamed("pipeline", old, name, seq)
    raise InvalidReference(
        f"{of!r} can't be renamed", hint="Rename a run, an artifact or a pipeline; steps are called as their functions."
    )


def _artifact_events(reader: Reader, artifact: ArtifactView, name: str) -> list[Event]:
    versions = artifact.versions[::-1]
    events: list[Event] = [_named(one, name) for one in versions]
    events += _labels(reader, artifact.subject, Subject("artifact", name, b""))
    for version in versions:
        events += _labels(reader, version.subject, Subject("version", name, version.content))
    for alias, version in artifact.aliases.items():
        if aliased(reader, name, alias) != version.content:
            events.append(AliasSet(name, alias, version.content))
    subjects = [version.subject for version in versions]
    for start in range(0, len(subjects), SUBJECTS_MAX):
        some = tuple(subjects[start : start + SUBJECTS_MAX])
        events.append(Deleted(some, reader.head_seq, f"renamed to {name}"))
    return [*events, ArtifactRenamed(artifact.name, name, len(events))]


def _named(version: ArtifactVersionView, name: str) -> ArtifactNamed:
    output = Output(
        name,
        name,
        version.content,
        version.format,
        version.type,
        version.size_bytes,
        version.computed_metadata,
    )
    is_held = version.released is None and not version.is_evicted and _is_there(version)
    return ArtifactNamed(output, version.name, version.version, is_held)


def _is_there(version: ArtifactVersionView) -> bool:
    try:
        return version.is_available
    except LinealError:  # What it is made of can't be told.
        return False


def _labels(reader: Reader, old: Subject, new: Subject) -> list[Event]:
    """What gives one subject the tags and annotations of another."""
    had = tags_of(reader, new)
    tags = tuple(one for one in tags_of(reader, old) if one not in had)
    events: list[Event] = [Tagged(new, tags)] if tags else []
    return events + [Annotated(new, {key: value}) for key, value in annotations_of(reader, old).items()]
