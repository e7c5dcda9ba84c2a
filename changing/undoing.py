"""Undoing what people did to the record: by further events, as far as nobody has changed it since.

What an event changed is told from the record right before it and the record of now. Where they leave nothing of it to
be undone, or something later stands on it, that is a conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..cas.digest import Digest
from ..errors import ArtifactEvicted, Conflict, Invalid, LinealError
from ..events.catalogue import (
    AliasRemoved,
    AliasSet,
    Annotated,
    AnnotationsRemoved,
    ArtifactNamed,
    ArtifactRenamed,
    ContentsReleased,
    Deleted,
    EquivalenceDeclared,
    EquivalenceRevoked,
    Event,
    PinAdded,
    PinRemoved,
    PipelineRenamed,
    Restored,
    RunRenamed,
    Subject,
    Tagged,
    Untagged,
)
from ..events.codec import Recorded
from ..events.projections import Causes, Pins, Runs
from ..events.projections.runs import RunRow
from ..events.rows import key
from ..history.deletion import deletion_of
from ..history.eviction import release_of
from ..history.labels import aliased, annotations_of, tags_of
from ..history.pipeline_names import declared_pipeline, pipeline_name
from ..history.reader import Reader
from ..store import Store
from .deleting import deletions
from .recording import SUBJECTS_MAX, record


@dataclass(frozen=True, slots=True)
class Undone:
    """What was undone."""

    seq: int
    """Position of the event that was undone."""
    type: str
    """What it was, as in ``alias.set/1``."""
    seqs: tuple[int, ...]
    """Positions of the events that did it; undoing those does it again."""
    gone: tuple[str, ...]
    """Contents whose bytes are gone: what is back of them is the record alone."""


def undo(store: Store, seq: int) -> Undone:
    """Undo one event; durable on return.

    Raises:
        Invalid: It is no event that can be undone, or there is none.
        Conflict: It has been undone or changed since.
        BlobMissing, ArtifactEvicted: What it let go is gone.
    """
    store.flush()
    now = Reader(store, store.head().seq)
    if not 1 <= seq <= now.head_seq:
        raise Invalid(f"there is no event {seq}", hint=f"The log has 1 to {now.head_seq}.")
    recorded = now.event(seq)
    events = list(_Undoing(now, Reader(store, seq - 1), recorded).events())
    if not events:
        raise Conflict(f"of event {seq}, {recorded.type}, nothing is left to be undone")
    held = {content for one in events if isinstance(one, Restored) for content in one.held}
    back = (one for event in events if isinstance(event, Restored) for one in event.subjects if one.kind == "version")
    gone = tuple(f"{one.name}@{str(Digest(one.id))[:12]}" for one in back if one.id not in held)
    return Undone(seq, recorded.type, record(store, events), gone)


class _Undoing:
    """Undoes one event."""

    def __init__(self, now: Reader, before: Reader, recorded: Recorded) -> None:
        self._now = now
        self._before = before
        self._seq = recorded.seq
        self._event: Event = recorded.event

    def events(self) -> Iterator[Event]:
        """The events that undo it."""
        match self._event:
            case Tagged(subject, tags):
                yield from self._untag(subject, tags)
            case Untagged(subject, tags):
                had, has = tags_of(self._before, subject), tags_of(self._now, subject)
                missing = tuple(one for one in tags if one in had and one not in has)
                yield from [Tagged(subject, missing)] if missing else []
            case AliasSet(artifact, alias, content):
                yield from self._point_back(artifact, alias, Digest(content))
            case AliasRemoved(artifact, alias):
                yield from self._point_back(artifact, alias, None)
            case Annotated(subject, values):
                yield from self._annotate(subject, values)
            case AnnotationsRemoved(subject, keys):
                yield from self._annotate(subject, dict.fromkeys(keys, _GONE))
            case PinAdded() | PinRemoved():
                yield from self._pin(self._event.label)
            case EquivalenceDeclared() | EquivalenceRevoked():
                yield from self._equate(self._event)
            case RunRenamed():
                yield from self._rename_run(self._event)
            case PipelineRenamed():
                yield from self._rename_pipeline(self._event)
            case _:
                yield from self._revise()

    def _revise(self) -> Iterator[Event]:
        match self._event:
            case ContentsReleased(contents):
                yield from self._hold(map(Digest, contents))
            case Deleted():
                yield from self._restore([self._event])
            case Restored(subjects, held):
                yield from self._delete(subjects, held)
            case ArtifactNamed(output):
                yield from self._delete([Subject("version", output.artifact, output.content)], ())
            case ArtifactRenamed(_, name, count):
                yield from self._rename_artifact(name, count)
            case other:
                raise Invalid(
                    f"event {self._seq}, {other.TYPE or 'of a newer version'}, can't be undone",
                    hint="What people do to the record can: labels, pins, names, releases and deletions.",
                )

    def _untag(self, subject: Subject, tags: Sequence[str]) -> Iterator[Event]:
        had, has = tags_of(self._before, subject), tags_of(self._now, subject)
        added = tuple(one for one in tags if one not in had and one in has)
        if added:
            yield Untagged(subject, added)

    def _point_back(self, artifact: str, alias: str, content: Digest | None) -> Iterator[Event]:
        had, has = (aliased(reader, artifact, alias) for reader in (self._before, self._now))
        if has != content and has != had:
            raise self._changed(f"alias {artifact}@{alias}")
        if had != has:
            yield AliasRemoved(artifact, alias) if had is None else AliasSet(artifact, alias, had)

    def _annotate(self, subject: Subject, values: dict[str, object]) -> Iterator[Event]:
        had, has = annotations_of(self._before, subject), annotations_of(self._now, subject)
        back: dict[str, object] = {}
        removed: list[str] = []
        for name, value in values.items():
            if had.get(name, _GONE) == has.get(name, _GONE):
                continue
            if has.get(name, _GONE) != value:
                raise self._changed(f"annotation {name}")
            if name in had:
                back[name] = had[name]
            else:
                removed.append(name)
        if removed:
            yield AnnotationsRemoved(subject, tuple(removed))
        if back:
            yield Annotated(subject, back)

    def _pin(self, label: str) -> Iterator[Event]:
        place = key("l", label)
        found, earlier = self._now.rows(Pins.name).latest(place), self._before.rows(Pins.name).latest(place)
        if found is None or found.seq != self._seq:
            raise self._changed(f"pin {label}")
        if earlier is not None and earlier.row[1] is not None:
            yield PinAdded(label, Digest(earlier.row[1]), earlier.row[2])
        elif found.row[1] is not None:
            yield PinRemoved(label)

    def _equate(self, event: EquivalenceDeclared | EquivalenceRevoked) -> Iterator[Event]:
        place = key("q", event.fingerprint)
        found = [reader.rows(Causes.name).latest(place) for reader in (self._before, self._now)]
        had, has = ({bytes(one): reason for one, reason in (row.row if row else [])} for row in found)
        same_as = bytes(event.same_as)
        if same_as in had and had.get(same_as) != has.get(same_as):
            yield EquivalenceDeclared(event.fingerprint, event.same_as, had[same_as])
        elif same_as not in had and same_as in has:
            yield EquivalenceRevoked(event.fingerprint, event.same_as)

    def _rename_run(self, event: RunRenamed) -> Iterator[Event]:
        found = [reader.rows(Runs.name).latest(key("r", event.run)) for reader in (self._before, self._now)]
        if found[0] is None or found[1] is None:
            return
        had, has = (RunRow.of(one.row).name for one in found if one is not None)
        if has != event.name and has != had:
            raise self._changed(f"the name of run {has}")
        if had != has:
            yield RunRenamed(event.run, had)

    def _rename_pipeline(self, event: PipelineRenamed) -> Iterator[Event]:
        first = declared_pipeline(self._before, event.pipeline)
        had, has = (pipeline_name(reader, first) for reader in (self._before, self._now))
        if has not in (event.name, had):
            raise self._changed(f"the name of pipeline {has}")
        if had != has:
            yield PipelineRenamed(has, had)

    def _hold(self, contents: Iterable[Digest]) -> Iterator[Event]:
        released = [one for one in contents if release_of(self._now, one) is not None]
        there = tuple(one for one in released if self._is_there(one))
        if released and not there:
            raise ArtifactEvicted(
                f"what event {self._seq} released was collected since", hint="Run `lineal recompute` to make it again."
            )
        if there:
            yield Restored((), there)

    def _restore(self, deleted: Iterable[Deleted]) -> Iterator[Event]:
        """Have back what these events deleted, as far as no other one has."""
        for event in deleted:
            subjects = tuple(one for one in event.subjects if self._is_deleted_by(one))
            contents = dict.fromkeys(Digest(one.id) for one in subjects if one.kind == "version")
            if subjects:
                yield Restored(subjects, tuple(one for one in contents if self._is_there(one)))

    def _is_deleted_by(self, subject: Subject) -> bool:
        deletion = deletion_of(self._now, subject)
        return deletion is not None and self._first_seq <= deletion.seq <= self._seq

    @property
    def _first_seq(self) -> int:
        return self._seq - self._event.events if isinstance(self._event, ArtifactRenamed) else self._seq

    def _delete(self, subjects: Iterable[Subject], held: Iterable[bytes]) -> Iterator[Event]:
        """Delete again what was deleted before, or for the first time what was made a version."""
        is_new = isinstance(self._event, ArtifactNamed)
        going = [
            one
            for one in subjects
            if deletion_of(self._now, one) is None and (is_new or deletion_of(self._before, one) is not None)
        ]
        yield from deletions(self._now, going, f"event {self._seq} undone") if going else []
        released = {content: release_of(self._before, Digest(content)) for content in held}
        again = {one.id for one in going}
        left = tuple(Digest(one) for one, release in released.items() if release is not None and one not in again)
        if left:
            yield ContentsReleased(left, f"event {self._seq} undone", self._now.head_seq)

    def _rename_artifact(self, name: str, count: int) -> Iterator[Event]:
        done = [self._now.event(seq).event for seq in range(self._first_seq, self._seq)]
        back = list(self._restore([one for one in done if isinstance(one, Deleted)]))
        if not back or len(done) != count:
            raise self._changed(f"artifact {name}")
        yield from back
        named = [one.output for one in done if isinstance(one, ArtifactNamed)]
        subjects = [Subject("version", name, output.content) for output in named]
        there = tuple(one for one in subjects if deletion_of(self._now, one) is None)
        for start in range(0, len(there), SUBJECTS_MAX):
            some = there[start : start + SUBJECTS_MAX]
            yield Deleted(some, self._now.head_seq, f"event {self._seq} undone")

    def _is_there(self, content: Digest) -> bool:
        try:
            return self._now.store.blobs.holds(content)
        except LinealError:  # What it is made of can't be told.
            return False

    def _changed(self, what: str) -> Conflict:
        return Conflict(f"{what} has changed since event {self._seq}", hint="Undo what came later first.")


_GONE = object()
"""Stands for an annotation that is not there."""
