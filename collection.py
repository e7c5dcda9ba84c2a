"""Collection: releasing what a policy no longer wants, and freeing the bytes that nothing holds any more.

Two phases. What is released is recorded first, durably; only then are rows and files taken away, in later transactions
that each look anew at what was appended since. `cas.sweep` says in which order, `events.liveness` what lives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta

from .cas import BlobPart, Changes, Digest, ManifestPart, read_manifest, walk
from .cas.compact import make_whole
from .cas.files import MAP_FROM_BYTES
from .cas.locks import only_collector
from .cas.place import BlobKind
from .cas.sweep import Swept, compact, foreseen, sweep
from .errors import Conflict, PinNotFound
from .events.catalogue import ContentsEvicted, ContentsReleased, Event, PinAdded, PinRemoved, RunStarted
from .events.codec import Envelope
from .events.liveness import DECODED, Liveness
from .events.projections import Pins
from .events.rows import key
from .history.closure import Closure
from .history.reader import Reader
from .history.retention import Plan, Retention, Verdict, plan, running_runs
from .immutable import Immutable
from .in_force import recorded
from .store import Store, now_us

_CONTENTS_MAX = 1000
"""How many contents one event releases; a thousand take about 35 kB."""


class Collection(Immutable):
    """What a collection did, or what it would do."""

    is_dry_run: bool
    upto: int
    """Position in the log as of which was decided what to release."""
    released: tuple[Verdict, ...]
    """The artifact versions that the policy let go, and why."""
    kept: tuple[Verdict, ...]
    """Those that it did not, and why; none without a policy, which decides nothing."""
    blobs: int
    """Blobs that went: those of versions released now or before, and those that no event ever named."""
    files: int
    compacted: int
    """Files of which less than half was needed, and only that was kept; none while a run goes on."""
    freed_bytes: int


def collect(store: Store, retention: Retention | None, *, is_dry_run: bool, grace: timedelta) -> Collection:
    """Release what a policy lets go, then free what nothing holds.

    Raises:
        Conflict: Another collection is under way, or a migration has kept an old log.
        BlobMissing, Corrupt: A manifest that is held can't be read, so that what it needs is not known.
    """
    at_us = now_us()
    before_us = at_us - grace // timedelta(microseconds=1)
    if not is_dry_run:
        _refuse_beside_old_logs(store)
    with only_collector(store.path):
        store.head()
        if not is_dry_run:
            store.blobs.files.clean_scratch()  # A dead worker's holds keep the bytes of what goes.
        liveness = Liveness()
        liveness.fold(store.log.envelopes(0, DECODED))
        decided = Plan(liveness.upto, ())
        if retention is not None and retention.releases:
            decided = plan(store, retention, liveness, at_us)
        releases = _releases(decided)
        if is_dry_run:
            liveness.fold(_foretold(releases, liveness.upto))
        else:
            release(store, releases)
            liveness.fold(store.log.envelopes(liveness.upto, DECODED))
        closure = Closure(store.blobs, map(Digest, liveness.held(at_us)))
        dead = [entry for digest, entry in closure.catalog.items() if digest not in closure]
        compacts = not any(running_runs(Reader(store)))
        if is_dry_run:
            swept = foreseen(store.blobs, dead, before_us=before_us, compacts=compacts)
        else:
            guard = _Guard(store, liveness)
            swept = sweep(store.blobs, dead, guard, before_us=before_us, record=guard.record)
            if compacts:
                compact(store.blobs, guard, swept)
    return _collection(decided, swept, is_dry_run)


def _refuse_beside_old_logs(store: Store) -> None:
    """An old log is worth its files: nobody else says what it needs, and it can't be asked in its format for ever."""
    for old in store.old_logs():
        raise Conflict(
            f"nothing is freed while the log of format {old.version} is kept, which may need it",
            where=old.path,
            hint="Once you won't go back, run `lineal migrate --drop-old`.",
        )


def release(store: Store, releases: Sequence[Event]) -> None:
    """Record releases; durable on return. What they name is freed by the next collection."""
    if releases:
        recorded(store, releases)


def release_contents(store: Store, contents: Sequence[Digest], reason: str) -> None:
    """Release contents as of now; durable on return."""
    release(store, [ContentsReleased(tuple(contents), reason, store.head().seq)])


def pin(store: Store, label: str, content: Digest, expires_us: int | None) -> None:
    """Pin a content; durable on return. A label that is in use is moved. Raises `BlobMissing` if it is gone."""
    recorded(store, [PinAdded(label, content, expires_us)])


def unpin(store: Store, label: str) -> None:
    """Take a pin away; durable on return. Raises `PinNotFound`."""
    found = store.rows(Pins.name).latest(key("l", label))
    if found is None or found.row[1] is None:
        raise PinNotFound(f"no pin has the label {label!r}", hint="List them with `lineal pins`.")
    recorded(store, [PinRemoved(label)])


def repack(store: Store, content: Digest) -> int:
    """Give the large blobs of a value files of their own; tell how many had none."""
    store.flush()
    large = {part.digest for part in walk(store.blobs, read_manifest(store.blobs, content)) if _is_mappable(part)}
    return sum(make_whole(store.blobs, digest, store.exclusively) for digest in sorted(large))


def _is_mappable(part: BlobPart | ManifestPart) -> bool:
    return isinstance(part, BlobPart) and part.size_bytes >= MAP_FROM_BYTES


class _Guard:
    """Looks, under the write lock, at what was appended since: what that names must stay, and all below it."""

    def __init__(self, store: Store, liveness: Liveness) -> None:
        self._store = store
        self._liveness = liveness
        self._spared: set[Digest] = set()
        self._has_started = False

    def exclusively(self) -> AbstractContextManager[Changes]:
        return self._store.exclusively()

    def spared(self, changes: Changes) -> set[Digest]:
        appended = self._store.log.appended(changes, self._liveness.upto, DECODED)
        self._liveness.fold(appended)
        blobs = self._store.blobs
        for envelope in appended:
            for content in map(Digest, envelope.refs):
                row = None if content in self._spared else blobs.row_in(changes, content)
                if row is not None:
                    self._spared.add(content)
                    if row.kind is BlobKind.MANIFEST:
                        reader = blobs.reader_in(changes)
                        self._spared.update(part.digest for part in walk(reader, read_manifest(reader, content)))
            self._has_started = self._has_started or envelope.type == RunStarted.TYPE
        return self._spared

    def record(self, changes: Changes, forgotten: Sequence[Digest]) -> None:
        """Say of contents that were released, in the transaction that takes their bytes away, that it does."""
        evicted = tuple([digest for digest in forgotten if self._liveness.released_upto(digest)])
        if evicted:
            self._store.append_within(changes, [ContentsEvicted(evicted)])

    def may_move(self, changes: Changes) -> bool:
        # Workers of a run have the rows that it gave them, and no database to look them up once more.
        self.spared(changes)
        return not self._has_started


def _releases(decided: Plan) -> list[ContentsReleased]:
    """The policy's releases as events, by reason; a content that several versions have is released once."""
    reasons = {verdict.content: verdict.reason for verdict in decided.released}
    by_reason: dict[str, list[Digest]] = {}
    for content, reason in reasons.items():
        by_reason.setdefault(reason, []).append(content)
    return [
        ContentsReleased(tuple(contents[start : start + _CONTENTS_MAX]), reason, decided.upto)
        for reason, contents in by_reason.items()
        for start in range(0, len(contents), _CONTENTS_MAX)
    ]


def _foretold(releases: Sequence[ContentsReleased], head: int) -> Iterator[Envelope]:
    for seq, event in enumerate(releases, start=head + 1):
        yield Envelope(seq, event.TYPE, b"", [], event)


def _collection(decided: Plan, swept: Swept, is_dry_run: bool) -> Collection:
    return Collection(
        is_dry_run,
        decided.upto,
        decided.released,
        decided.kept,
        swept.blobs,
        swept.files,
        swept.compacted,
        swept.freed_bytes,
    )
