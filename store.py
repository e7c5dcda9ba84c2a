"""One store directory, opened: its log and blobs, commits, and recovery from an unclean stop."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from .appends import Append, AppendGroup, AppendWriter, ConditionalAppend, Origin
from .cas import Blob, BlobFiles, BlobStore, Changes, Environment
from .cas.durable import disk_errors
from .cas.format import FORMAT_FILE, read_format_file
from .cas.locks import only_rebuilder, unless_migrated, unless_rebuilt
from .directory import (
    KNOWN,
    LOG,
    NEW_STORE_BYTES,
    OldLog,
    create_store,
    is_old,
    not_found,
    old_logs,
    open_environment,
    read_format,
    require_log,
)
from .errors import Conflict, FormatTooOld, LinealError, LogCorrupt, StoreClosed
from .events.catalogue import Event, StoreCreated, Subject
from .events.codec import Recorded
from .events.committer import Committer, Ticket
from .events.elsewhere import commit_of, refuse_late, send
from .events.hash_tree import HashTree
from .events.ids import EventId, StoreId
from .events.log import Head, Log
from .events.positions import LAG_MAX_EVENTS
from .events.projections import Metrics
from .events.projections.metrics import metric_key
from .events.projections.runs import Runs
from .events.projections.streams import Streams
from .events.projector import Projector
from .events.rows import Row, RowReader
from .events.tail import TailedReader
from .events.timeline import Timeline
from .events.transaction import Learned
from .interrupted import interruptions
from .metrics import MetricsBuffer

if TYPE_CHECKING:
    import lmdb

_CHECKED_AT_OPEN_EVENTS = 100
Stretch = tuple[Sequence[Event], Sequence[Blob], Sequence[Recorded]]
"""Events to be appended, the blobs that they and the copies name, and copies of events, with their bytes."""
_LOOKED_EVERY_EVENTS = 1000
"""How often a process that commits without a pause looks at whether what is kept behind is too far behind."""


def now_us() -> int:
    """Microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


class Store:
    """An open store. Threads may share it; a forked child may go on with it; get one from `open_store`."""

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool,
        clock: Callable[[], int] = now_us,
        blobs: Callable[[Environment], BlobStore] | None = None,
    ) -> None:
        """Open a store that exists, and recover it unless read-only; ``blobs`` gives those that are kept elsewhere."""
        self.path = self.place = path
        self.read_only = read_only
        if not read_only and is_old(read_format_file(path, KNOWN)):
            from .migration import migrate_store  # Imported on use: hardly any opening has to.

            migrate_store(path)
        with unless_migrated(path, is_reader=read_only):
            self.format = read_format(path)
            require_log(path)
            self._env = open_environment(path, self.format.map_size_bytes, read_only)
        self._clock = clock
        self.blobs = BlobStore(self._env, BlobFiles(path)) if blobs is None else blobs(self._env)
        self._origin = Origin(self.format.store, path, self.blobs, clock)
        self.log = Log(self._env)
        self.hash_tree = HashTree(self._env, self.log, keeps=self._writes)
        self._projector = Projector(self._env, self.log, partial(Changes, self._env))
        self._timeline = Timeline(self._env, self.log, partial(Changes, self._env) if self._writes else None)
        self._committer = Committer(self._env, self._open_writer, self._limit_lag, self._sent_elsewhere)
        self.metrics = MetricsBuffer(self.append, self.blobs, self._last_metric_step, clock)
        self._learned = Learned()
        self._present = cache(partial(RowReader, self._env, upto=None))
        self._looked = 0
        """The last event by which this process looked at what is behind."""
        self._users = 0
        self.until_closed = ExitStack()
        """What is let go of with the store."""
        try:
            self._check()
            if self._writes:
                self._recover()
        except BaseException:
            self._env.close()
            raise

    @property
    def id(self) -> StoreId:
        """The store's identity, which moves with it."""
        return self.format.store

    @property
    def environment(self) -> Environment:
        """The database, for those who verify or mend it."""
        return self._env

    def append(
        self,
        events: Sequence[Event],
        blobs: Sequence[Blob] = (),
        *,
        after: Sequence[Ticket] = (),
        ids: Sequence[EventId] | None = None,
        expected: Mapping[bytes, int] | None = None,
    ) -> Ticket:
        """Submit events with the receipts of the blobs they name; all are committed, or none.

        Returns at once; the ticket's `wait`, or `flush`, returns when they are durable.
        This process's readers of blobs see the small ones at once.

        Args:
            events: In the order in which they became true.
            blobs: The receipts.
            after: They are refused, with the same error, if a submission they come after has failed.
            ids: One for each event. What the log has under its id already is left out, so that an append whose outcome
                is unknown can be repeated; the ticket's ``places`` say where each is. By default they get new ones.
            expected: By stream, the position of the last event seen in it, 0 for none. Where one went on, the ticket
                raises `StreamMoved`; what the log has already, by their ids, is not refused again.
        """
        refuse_late(self.path)
        if ids is None and expected is None:
            ticket = Append(self._origin, events, blobs, after)
        else:
            if self._writes and self._projector.lag(Streams.name) > LAG_MAX_EVENTS:
                self._projector.catch_up(Streams.name)
            ticket = ConditionalAppend(self._origin, events, blobs, after, ids, expected)
        if blobs:
            ticket.announced = self.blobs.announce(blobs)
        try:
            self._committer.submit(ticket)
        except LinealError:  # Before it was queued: afterwards the committer settles it.
            ticket.settle()
            raise
        return ticket

    def forget_failures(self, tickets: Sequence[Ticket]) -> None:
        """Leave out of later flushes what was raised already."""
        self._committer.forget(tickets)

    def raise_failed(self) -> None:
        """Raise what made an earlier submission fail, if nobody has heard of it; waits for nothing."""
        self._committer.raise_failed()

    def flush(self) -> None:
        """Return when all that was submitted is durable; raise what made a submission fail."""
        self.metrics.submit()
        self._committer.flush()

    def rows(self, projection: str, upto: int | None = None) -> RowReader:
        """Read a projection as of a position, or now: then all that this process submitted is seen.

        One that is kept behind is caught up first, or, where the store is read-only, in memory.
        """
        if projection == Metrics.name:
            self.metrics.submit()
        self._committer.drain()
        if self._writes and self._projector.lag(projection):
            self._projector.catch_up(projection)
        return self.rows_within(projection, upto)

    def rows_within(self, projection: str, upto: int | None = None) -> RowReader:
        """As `rows`, inside of `exclusively`: it waits for nothing, and what is appended there is not in it."""
        if not self._projector.lag(projection):
            return self.committed_rows(projection, upto)
        return TailedReader(self._env, projection, upto, self._projector.tail(projection))

    def lag(self, projection: str) -> int:
        """How many events `rows` would have to fold into a projection that is kept behind."""
        return self._projector.lag(projection)

    def committed_rows(self, projection: str, upto: int | None = None) -> RowReader:
        """Read a projection as committed, as of a position or now, without waiting for what is on its way."""
        return self._present(projection) if upto is None else RowReader(self._env, projection, upto)

    def _last_metric_step(self, subject: Subject, metric: str) -> int | None:
        """Where the last submitted point of a metric stands."""
        self._committer.drain()
        found = RowReader(self._env, Metrics.name, None).latest(metric_key(subject, metric))
        return None if found is None else int(found.row[2])

    def head(self) -> Head:
        """The end of the log, with all that this process submitted."""
        self._committer.drain()
        return self.log.head()

    def position_at(self, time_us: int, upto: int) -> int:
        """The last event before the first that is later than a time, of those up to a position; see `Timeline`."""
        return self._timeline.position(time_us, upto)

    def rebuild(self) -> None:
        """Replay all projections from the log into new rows, and put those in force, while others go on.

        What is kept of the hash tree is dropped.
        """
        self._committer.drain()
        with only_rebuilder(self.path), disk_errors(self.path):
            self.hash_tree.forget()
            self._projector.rebuild()

    def exclusively(self) -> AbstractContextManager[Changes]:
        """A write transaction for upkeep: nobody else commits while it is open, so keep it short.

        What it changes is durable once the block has ended. Begin no other transaction inside.
        """
        return self._env.changing()

    def append_within(
        self, changes: Changes, events: Sequence[Event], ids: Sequence[EventId] | None = None
    ) -> tuple[int, ...]:
        """As `append`, of what names no new blobs, in a transaction of `exclusively`, once in each; give the places."""
        origin = self._origin
        append = Append(origin, events) if ids is None else ConditionalAppend(origin, events, (), (), ids, None)
        writer = self._writer(changes)
        append.check(writer)
        append.write(writer)
        return tuple(append.places)

    def copy_within(self, changes: Changes, stretches: Iterable[Stretch]) -> None:
        """As `append_within`, and copies of another's log as they are. The blobs' rows are written unchecked."""
        writer = self._writer(changes)
        for events, blobs, copies in stretches:
            writer.add(self._origin.encoded(events), blobs)
            writer.append(copies)
            changes.flush()

    def old_logs(self) -> list[OldLog]:
        """The logs of older formats that migrations have kept; collections free nothing while there are any."""
        return old_logs(self.path)

    def close(self) -> None:
        """Make what is queued durable, and let go of the store once all who opened it here have closed it."""
        try:
            self.flush()
        finally:
            with _opened_lock:
                self._users -= 1
                if self._users <= 0:
                    self._committer.close()
                    self.until_closed.close()
                    self._env.close()
                    for identity in [identity for identity, store in _opened.items() if store is self]:
                        del _opened[identity]

    def _check(self) -> None:
        head = self.log.head()
        if head.seq == 0:
            raise LogCorrupt("the log is empty", where=self.path / LOG, hint="Restore it from a copy.")
        first = self.log.get(1).event
        if not isinstance(first, StoreCreated) or first.store != self.id:
            raise LogCorrupt(
                "the log belongs to another store than FORMAT names",
                where=self.path,
                hint="Put back the log that belongs here.",
            )
        self.log.verify(max(0, head.seq - _CHECKED_AT_OPEN_EVENTS))
        if self.read_only and self._projector.outdated():
            raise FormatTooOld(
                "another version of Lineal made the store's indexes",
                where=self.path,
                hint="Open it once without read_only=True.",
            )

    def _recover(self) -> None:
        """Clear what dead processes left: scratch files, and runs that would read as running for ever."""
        self.blobs.files.complete()
        self.blobs.files.clean_scratch()
        self._rebuild_outdated()

        def newest(row_key: bytes) -> Row | None:
            found = self._present(Runs.name).latest(row_key)
            return None if found is None else found.row

        if interruptions(newest, self._clock):
            with self._env.begin(write=True) as txn:
                writer = self._open_writer(txn)
                # Looked at anew under the write lock: another process may have been faster.
                found = interruptions(writer.projections.rows(Runs.name).latest, self._clock)
                writer.add(self._origin.encoded(found))
                writer.flush()

    def _rebuild_outdated(self) -> None:
        """Replay projections that another version of their code has kept, and clear what a rebuild left that died."""
        if self._projector.outdated():
            with only_rebuilder(self.path):
                self._projector.rebuild(self._projector.outdated())
        with unless_rebuilt(self.path) as is_left:
            if is_left:
                self._projector.clear_shadows()

    @property
    def _writes(self) -> bool:
        """Whether this process writes the log and what is kept beside it."""
        return not self.read_only and commit_of(self.path) is None

    def _sent_elsewhere(self, batch: list[AppendGroup]) -> bool:
        commit = commit_of(self.path)
        return commit is not None and send([append for group in batch for append in group.tickets], commit)

    def _limit_lag(self, is_idle: bool) -> bool:
        committed, looked = self._learned.committed, self._looked
        appended = committed - (looked or committed)
        is_early = not is_idle and looked and appended < _LOOKED_EVERY_EVENTS
        if is_early or not self._writes or not committed:
            return False  # Who has committed nothing leaves it to those who have.
        self._looked = committed
        with suppress(LinealError):  # Whoever reads catches up first, and is told.
            self._timeline.limit_lag()
            return self._projector.limit_lag(appended, is_idle=is_idle)
        return False

    def _open_writer(self, txn: lmdb.Transaction) -> AppendWriter:
        return self._writer(Changes(self._env, txn))

    def _writer(self, changes: Changes) -> AppendWriter:
        return AppendWriter(self._origin, changes, self._projector, self._learned)


_opened: dict[tuple[int, int], Store] = {}
_opened_lock = threading.RLock()


def open_store(path: Path, *, read_only: bool = False, create: bool = True) -> Store:
    """Open the store in this directory; a process opens it once and shares it.

    Args:
        path: The store's own directory.
        read_only: Write nothing to the directory, not even a recovery.
        create: Make the store if the directory is missing or empty.

    Raises:
        StoreNotFound: There is none, and none is to be made.
        NotAStore: The directory holds something else.
        FormatTooNew: A newer version wrote it.
        FormatTooOld: It is to be read only, and an older version wrote it.
        LogCorrupt: Its log is damaged.
        StoreFull: It is migrated, and there is no room for that.
        Conflict: This process has it open read-only already and now wants to write; or it has to be migrated, and
            another process has it open.
    """
    with _opened_lock, disk_errors(path, NEW_STORE_BYTES):
        if not (path / FORMAT_FILE).exists():
            if read_only or not create:
                raise not_found(path)
            create_store(path, now_us())
        if not read_only and not os.access(path, os.W_OK):
            raise StoreClosed("the store can't be written to", where=path, hint="Open it with read_only=True.")
        state = os.stat(path)
        identity = (state.st_dev, state.st_ino)
        store = _opened.get(identity)
        if store is None:
            store = _opened[identity] = Store(path.resolve(), read_only=read_only)
        elif store.read_only and not read_only:
            raise Conflict("this process has the store open read-only", where=path, hint="Close that handle first.")
        store._users += 1
        return store


def flush_opened(path: Path) -> None:
    """Make durable what was submitted to a store, if this process has it open; raise what made a submission fail."""
    for store in list(_opened.values()):
        if store.path == path and not store.read_only:
            store.flush()


@atexit.register
def _close_all() -> None:
    failures = []
    for store in list(_opened.values()):
        store._users = 1
        try:
            store.close()
        except LinealError as error:  # the other stores' saves must not be lost over this one's
            failures.append(error)
    for failure in failures:
        raise failure
