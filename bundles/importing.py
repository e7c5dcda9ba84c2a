"""Importing a bundle: its blobs are made durable, then all of its events that are new become facts in one transaction.

Invariant: a crash leaves nothing or all of it, beside blobs that nothing names; so importing again does what is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ..cas import Blob, BlobKind, Changes, Digest, Inline
from ..cas.durable import disk_errors
from ..cas.files import MAP_FROM_BYTES
from ..cas.manifest import INLINE_MAX_BYTES
from ..cas.store import CATALOG
from ..events.catalogue import (
    ArtifactNamed,
    ArtifactSaved,
    ContentsEvicted,
    ContentsReleased,
    Deleted,
    Event,
    Numbered,
    Restored,
    RunStarted,
    StepCompleted,
    StepReused,
    StoreCreated,
    StoreImported,
    Subject,
)
from ..events.codec import Recorded
from ..events.ids import StepRunId, StoreId
from ..events.log import LogWriter
from ..events.projections import Artifacts, Runs, Steps, Streams
from ..events.projections.artifacts import outputs_of, version_in
from ..events.projections.streams import id_key
from ..events.rows import key
from ..store import Store, Stretch
from .checking import check_bundle, check_events
from .layout import Held
from .reading import Bundle
from .taking import adds_tags, is_taken

_STRETCH_EVENTS, _STRETCH_NUMBERS = 1000, 2000
_SMALL_PAGE = 500
_CONTENTS_MAX = 1000
_SUBJECTS_MAX = 200
_MAKING = frozenset(one.TYPE for one in (StepCompleted, StepReused, ArtifactSaved, ArtifactNamed))


class Arrived(NamedTuple):
    """What an import brought."""

    store: StoreId
    """The store that the bundle was written from."""
    bundle: Digest
    events: int
    """How many were not here before."""
    known: int
    """How many were, or are not taken."""
    blobs: int
    """How many were not here before."""
    lacking: int
    """How many contents are in neither: only what is known of them was imported."""
    merged: int
    """How many things that had tags here have those of there as well now."""
    kept: int
    """How many changes of labels were not taken, since a label that was set here stays as it is."""

    @property
    def is_new(self) -> bool:
        """Whether the import changed anything."""
        return bool(self.events or self.blobs)


def import_bundle(store: Store, path: Path) -> Arrived:
    """Take what a bundle brings that is not here; durable on return.

    Raises:
        NotABundle, BundleCorrupt, BundleRefused, FormatTooNew: Nothing was imported, and the error says why.
        StoreFull, StoreBroken: Nothing was imported.
    """
    store.flush()
    with Bundle(path) as bundle, disk_errors(store.path, bundle.size_bytes):
        checked_at = store.head().seq
        check_bundle(bundle, store.id, _Known(store, checked_at))
        wanted = _Wanted(bundle, store, checked_at)
        wanted.settle()
        if not wanted.has_any:
            return wanted.arrived()
        with store.blobs.batch() as batch:
            for held in wanted.large:
                _put(bundle, held, batch)
            receipts = batch.publish()
            intake = None
            while intake is None:
                wanted.settle()
                intake = _taken(store, bundle, wanted, receipts)
            store.blobs.release(receipts)
        return wanted.arrived(intake)


def _taken(store: Store, bundle: Bundle, wanted: _Wanted, receipts: Sequence[Blob]) -> Intake | None:
    """Take it under the write lock; None where somebody else has just appended what may contradict it."""
    with store.exclusively() as changes:
        wanted.follow()
        if wanted.is_contested:
            return None
        store.blobs.check(changes, receipts, ())
        intake = Intake(store, bundle, changes, wanted)
        store.copy_within(changes, intake.stretches(receipts))
        return intake


def _put(bundle: Bundle, held: Held, batch: Any) -> None:
    if held.size_bytes >= MAP_FROM_BYTES and held.kind is BlobKind.BYTES:
        found = batch.put_source(bundle.source(held)).digest
    else:
        found = batch.put(bundle.read(held.digest), held.kind)
    if found != held.digest:
        raise bundle.blob_damaged(held.digest)


class _Known:
    """What the store's log has up to a position, as `checking.Taker`: all of it at one moment, while others append."""

    def __init__(self, store: Store, upto: int) -> None:
        self._store = store
        self._ids = store.rows(Streams.name, upto)
        self._runs = store.rows(Runs.name, upto)
        self._steps = store.rows(Steps.name, upto)

    def body_of(self, event_id: bytes) -> bytes | None:
        found = self._ids.latest_seq(id_key(event_id))
        return None if found is None else self._store.log.body(found)

    def has_run(self, run: bytes) -> bool:
        return self._runs.latest_seq(key("r", run)) is not None

    def status_of(self, step: StepRunId) -> str | None:
        found = self._steps.latest(key("s", step.run, step.step))
        return None if found is None else str(found.row[1])


class _Wanted:
    """What of a bundle a store may lack: looked at before the write lock is held, so that others wait less for it."""

    def __init__(self, bundle: Bundle, store: Store, checked_at: int) -> None:
        """``checked_at``: the position as of which the bundle was checked."""
        self._bundle = bundle
        self._store = store
        self._upto = checked_at
        ids = store.rows(Streams.name, checked_at)
        self._is_known = bytearray(bundle.events)
        self._since: set[bytes] = set()
        self._ids: set[bytes] = set()
        self._runs: set[bytes] = set()
        self.is_contested = False
        """Whether others have appended what is about its events or runs, so that they are to be checked once more."""
        self.roots: set[bytes] = set()
        """The blobs that its events name."""
        has_new = False
        for number, recorded in enumerate(map(read_event, bundle.bodies())):
            self.roots.update(recorded.named)
            self._ids.add(recorded.raw_id)
            self._runs.add(recorded.stream)
            if ids.latest_seq(id_key(recorded.raw_id)) is not None:
                self._is_known[number] = True
            else:
                has_new = has_new or is_taken(store, recorded)
        self._runs.discard(b"")
        lacks = any(store.blobs.row(held.digest) is None for held in bundle.table.blobs)
        self.large = [held for held in bundle.table.blobs if held.size_bytes > INLINE_MAX_BYTES]
        self.has_any = has_new or lacks
        self._lacking = sum(store.blobs.row(one) is None for one in bundle.table.lacking)

    def follow(self) -> None:
        """Look at what was appended meanwhile; under the write lock for the last time, for a short look."""
        for recorded in self._store.log.scan(self._upto):
            self._since.add(recorded.raw_id)
            self.is_contested |= recorded.raw_id in self._ids or recorded.stream in self._runs
            self._upto = recorded.seq

    def settle(self) -> None:
        """Refuse what contradicts that which others have appended; not under the write lock, as it takes its time."""
        self.follow()
        if self.is_contested:
            check_events(self._bundle, self._store.id, _Known(self._store, self._upto))
            self.is_contested = False

    def has(self, number: int, event_id: bytes) -> bool:
        """Whether the store has an event of the bundle, counted from 0, as of the last look."""
        return bool(self._is_known[number]) or event_id in self._since

    def arrived(self, intake: Intake | None = None) -> Arrived:
        """What an import brought; without an intake, nothing."""
        bundle = self._bundle
        events = 0 if intake is None else intake.events
        return Arrived(
            bundle.table.store,
            bundle.id,
            events,
            bundle.events - 1 - events,  # The first is that of the other store.
            0 if intake is None else len(intake.fresh),
            self._lacking,
            0 if intake is None else len(intake.merged),
            0 if intake is None else intake.kept,
        )


def read_event(body: bytes) -> Recorded:
    """A checked event of a bundle, with its bytes."""
    recorded = Recorded.read(0, b"", body)
    recorded.body = body
    return recorded


class Intake:
    """What one transaction takes of a bundle, in stretches, each after an event that says what is imported."""

    def __init__(self, store: Store, bundle: Bundle, changes: Changes, wanted: _Wanted | None = None) -> None:
        """Look at what the transaction sees; without what is ``wanted``, the store has nothing yet."""
        self._store = store
        self._bundle = bundle
        self._changes = changes
        self._wanted = wanted
        self._seq = LogWriter(changes).head.seq
        self._numbers = {(one.kind, one.name, one.id): one for one in bundle.table.numbers}
        self._named: set[bytes] = set()
        table = bundle.table
        self.fresh = {held.digest for held in table.blobs if changes.get(CATALOG, held.digest) is None}
        """The blobs that were not there."""
        self._lacking = [one for one in table.lacking if changes.get(CATALOG, one) is None]
        self._deleted = [one for one in table.deleted if not self._has(one)]
        self.events = 0
        """How many events were copied."""
        self.merged: set[Subject] = set()
        """What had tags here and has more now."""
        self.kept = 0
        """How many changes of labels were not taken."""

    def _has(self, subject: Subject) -> bool:
        rows = self._store.committed_rows
        if subject.kind == "run":
            return rows(Runs.name).latest_seq(key("r", subject.id)) is not None
        return version_in(rows(Artifacts.name), subject.name, Digest(subject.id)) is not None

    def stretches(self, large: Sequence[Blob]) -> Iterator[Stretch]:
        """All that is to be appended, with the rows of blobs first; ``large`` are those that are durable by now."""
        yield [], large, ()
        yield from self._small()
        copies: list[Recorded] = []
        numbers: dict[Numbered, None] = {}
        for recorded in self._new():
            copies.append(recorded)
            numbers |= dict.fromkeys(self._numbers_of(recorded))
            if len(copies) >= _STRETCH_EVENTS or len(numbers) >= _STRETCH_NUMBERS:
                yield self._imported(copies, numbers)
                copies, numbers = [], {}
        if copies:
            yield self._imported(copies, numbers)
        yield self._closing(), (), ()

    def _small(self) -> Iterator[Stretch]:
        fresh = self.fresh
        small = (one for one in self._bundle.table.blobs if one.size_bytes <= INLINE_MAX_BYTES and one.digest in fresh)
        while page := list(islice(small, _SMALL_PAGE)):
            blobs = [Blob(one.digest, one.size_bytes, one.kind, Inline(self._bundle.read(one.digest))) for one in page]
            yield [], blobs, ()

    def _new(self) -> Iterator[Recorded]:
        wanted = self._wanted
        for number, recorded in enumerate(map(read_event, self._bundle.bodies())):
            if wanted is not None and wanted.has(number, recorded.raw_id):
                continue
            if not is_taken(self._store, recorded):
                self.kept += recorded.type != StoreCreated.TYPE
                continue
            merging = adds_tags(self._store, recorded)
            if merging is not None:
                self.merged.add(merging)
            self._named.update(recorded.named)
            yield recorded

    def _numbers_of(self, recorded: Recorded) -> Iterator[Numbered]:
        places: list[tuple[str, str, bytes]] = []
        if recorded.type in _MAKING:
            places = [("version", output[1], output[2]) for output in outputs_of(recorded)]
        elif recorded.type == RunStarted.TYPE:
            started = recorded.fields
            places = [("run", started.pipeline, started.run), ("pipeline", started.pipeline, started.structure)]
        return (self._numbers[place] for place in places if place in self._numbers)

    def _imported(self, copies: list[Recorded], numbers: dict[Numbered, None]) -> Stretch:
        self.events += len(copies)
        self._seq += 1 + len(copies)
        table = self._bundle.table
        said = StoreImported(
            table.store, table.head_seq, table.head_chain, len(copies), self._bundle.id, tuple(numbers)
        )
        return [said], (), copies

    def _closing(self) -> list[Event]:
        """What the store says of it itself: what is not there, what was deleted there, and what is there again."""
        events: list[Event] = []
        for contents in _pages(self._lacking, _CONTENTS_MAX):
            events.append(ContentsReleased(contents, "it had been collected where it was imported from", self._seq))
            events.append(ContentsEvicted(contents))
        for subjects in _pages(self._deleted, _SUBJECTS_MAX):
            events.append(Deleted(subjects, self._seq, "it had been deleted where it was imported from"))
        roots = set() if self._wanted is None else self._wanted.roots
        again = sorted(self.fresh & roots - self._named)
        events += (Restored((), contents) for contents in _pages(again, _CONTENTS_MAX))
        return events


def _pages(items: Sequence[Any], size: int) -> Iterator[tuple[Any, ...]]:
    return (tuple(items[start : start + size]) for start in range(0, len(items), size))
