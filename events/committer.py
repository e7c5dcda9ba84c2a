"""Group commit: one thread of a process writes what all its threads submit, many submissions in one transaction.

Invariant: submissions of one thread are committed in the order in which it made them, each whole or not at all,
and a ticket is done only after the commit was synced.
"""

from __future__ import annotations

import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..errors import Conflict, LinealError, StoreBroken, StoreClosed
from .log import Database

if TYPE_CHECKING:
    import lmdb

BATCH_SUBMISSIONS = 4000
"""In a grown log each row dirties a page of its own: the more rows a commit has, the more of them share one."""
BATCH_BYTES = 8 * 1024 * 1024
_WAITING_SUBMISSIONS = 16_000
_WAITING_BYTES = 64 * 1024 * 1024
LINGER_S = 0.02
"""How long a submission may wait for company where nobody waits for it."""
IDLE_S = 0.1
"""After how long without submissions there is time for what can wait."""
_PAUSE_S = 0.0005
"""How long what can wait is left between one bit of it and the next."""


class Writer(Protocol):
    """Where the submissions of one transaction are written."""

    def write(self, batch: Sequence[Any]) -> None:
        """Write groups in their order; in a ticket that is refused, note its `LinealError`, and write nothing of it.

        What is raised fails the whole transaction.
        """

    def flush(self) -> None:
        """Hand over what was gathered; the commit follows."""

    def committed(self) -> None:
        """Hear that the commit has succeeded."""


class Group(Protocol):
    """Tickets that wait together, and what they are to write."""

    tickets: Sequence[Ticket]
    size_bytes: int
    """About how much they write."""

    def settle(self) -> None:
        """Let go of the tickets and what was to be written: the outcome is about to be known."""


class Ticket(ABC):
    """Something to be committed whole, and the claim on its outcome."""

    __slots__ = ("committer", "error", "number", "size_bytes")

    committer: Committer
    """To which it was submitted."""
    number: int
    """Its place in the order of submission."""
    size_bytes: int
    """About how much it writes; to be known when it is submitted."""
    error: BaseException | None
    """Why it is not committed; None before it is submitted."""

    def __init__(self) -> None:
        self.error = None

    @property
    def done(self) -> bool:
        """Whether its outcome is known."""
        return self.committer.finished >= self.number

    @property
    def places(self) -> Sequence[int]:
        """Where what was submitted is once it is durable, of those that can tell."""
        return ()

    def wait(self) -> None:
        """Return when it is durable; raise what made it fail."""
        self.committer.await_ticket(self)
        if self.error is not None:
            raise self.error

    @abstractmethod
    def join(self, last: Any) -> Any:
        """Go into the group that waits last, if there is one and it takes more, or into a new one; give that group."""


T = TypeVar("T", bound=Ticket)

_committers: weakref.WeakSet[Committer] = weakref.WeakSet()


def _start_over_in_child() -> None:
    for committer in list(_committers):
        committer.be_inherited()


os.register_at_fork(after_in_child=_start_over_in_child)


class Committer:
    """The queue and the thread. Threads may share it; a forked child gets its own thread and an empty queue.

    What nobody waits for may linger for `LINGER_S`, so that many submissions make one transaction and the thread
    that submits is not held up by the one that commits.
    """

    def __init__(
        self,
        environment: Database,
        open_writer: Callable[[lmdb.Transaction], Writer],
        afterwards: Callable[[bool], bool] = lambda _: False,
        elsewhere: Callable[[list[Any]], bool] = lambda _: False,
    ) -> None:
        """Commit to this environment, through a writer opened for each transaction.

        ``afterwards`` is called on the committing thread after each commit, when nobody waits for it any more; with
        True once nothing has been submitted for `IDLE_S`; and then again as long as it tells that there is more to do
        and nothing is submitted. ``elsewhere`` is offered each batch first: it tells whether another process commits
        those, and then has done with this one.
        """
        self._env = environment
        self._open_writer = open_writer
        self._afterwards = afterwards
        self._elsewhere = elsewhere
        self._broken: BaseException | None = None
        self._closing = False
        self._submitted = 0
        self._start_over()
        _committers.add(self)

    def _start_over(self) -> None:
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._outcome = threading.Condition(self._lock)
        self._queue: deque[Group] = deque()
        self._batch: list[Group] = []
        self._waiting = 0
        self._waiting_bytes = 0
        self.finished = self._submitted
        """The number of the last ticket whose outcome is known; those before it have theirs."""
        self._failed: dict[int, Ticket] = {}
        self._thread: threading.Thread | None = None
        self._is_urgent = False

    def be_inherited(self) -> None:
        """Hear that this is a forked child now: what the parent has on its way is the parent's."""
        refusal = Conflict("this was submitted by the parent process", hint="Submit it again in this process.")
        _fail((*self._batch, *self._queue), refusal)
        self._start_over()

    def submit(self, ticket: T) -> T:
        """Queue something, in about a microsecond; waits only where the queue is full.

        Raises:
            StoreBroken: An earlier write failed; only opening the store again makes its state known.
        """
        with self._lock:
            queue = self._queue
            while self._waiting >= _WAITING_SUBMISSIONS or self._waiting_bytes >= _WAITING_BYTES:
                self._hurry()
                self._room.wait()
            if self._closing or self._broken is not None:  # Perhaps since it began to wait: nobody would commit it.
                self._refuse()
            if self._thread is None:
                self._start()
            ticket.committer = self
            ticket.number = number = self._submitted + 1
            last = queue[-1] if queue else None
            group = ticket.join(last)
            if group is not last:
                queue.append(group)
            self._submitted = number
            self._waiting_bytes += ticket.size_bytes
            self._waiting = waiting = self._waiting + 1
            if waiting == 1 or waiting == BATCH_SUBMISSIONS:
                self._work.notify()
        return ticket

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="lineal-committer", daemon=True)
        thread.start()
        self._thread = thread

    def _refuse(self) -> None:
        if self._closing:
            raise StoreClosed("the store is closed", hint="Open it again.")
        raise self._breakage() from self._broken

    def _breakage(self) -> StoreBroken:
        return StoreBroken(f"an earlier write failed: {self._broken}", hint="Close the store and open it again.")

    def _hurry(self) -> None:
        """Let the thread commit now; call it with the lock held."""
        if not self._is_urgent:
            self._is_urgent = True
            self._work.notify()

    def drain(self) -> None:
        """Return when everything submitted before has its outcome, good or bad."""
        upto = self._submitted
        if self.finished >= upto:
            return
        with self._lock:
            while self.finished < upto:
                self._hurry()
                self._outcome.wait()

    def flush(self) -> None:
        """Return when everything submitted before is durable; raise the first failure nobody has heard of."""
        self.drain()
        with self._lock:
            failed, self._failed = list(self._failed.values()), {}
        for ticket in failed:
            if ticket.error is not None:
                raise ticket.error

    def raise_failed(self) -> None:
        """Raise the first failure nobody has heard of, if there is one; waits for nothing."""
        with self._lock:
            failed = [ticket for ticket in self._failed.values() if ticket.error is not None]
            if failed:
                del self._failed[failed[0].number]
        for ticket in failed[:1]:
            assert ticket.error is not None
            raise ticket.error

    def await_ticket(self, ticket: Ticket) -> None:
        """Return when a ticket has its outcome; whoever waits for it has heard of it."""
        with self._lock:
            while self.finished < ticket.number:
                self._hurry()
                self._outcome.wait()
            self._failed.pop(ticket.number, None)

    def forget(self, tickets: Iterable[Ticket]) -> None:
        """Leave the failures of these tickets out of later flushes: somebody has raised them."""
        with self._lock:
            for ticket in tickets:
                self._failed.pop(ticket.number, None)

    def close(self) -> None:
        """Commit what is queued and end the thread."""
        with self._lock:
            self._closing = True
            self._work.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        idle_s: float | None = None
        while True:
            with self._lock:
                if not self._queue and not self._closing:
                    self._work.wait(idle_s)
                if not self._queue and self._closing:
                    return
                batch = self._gather()
            if batch:
                self._commit(batch)
                self._settle(batch)
            is_more = (batch or idle_s is not None) and self._broken is None and self._afterwards(not batch)
            idle_s = IDLE_S if batch else _PAUSE_S if is_more else None

    def _gather(self) -> list[Group]:
        """Take a batch once somebody waits, it is full, or the first submission has waited enough; empty if idle."""
        if not self._queue:
            return []
        self._work.wait_for(lambda: self._is_urgent or self._closing or self._waiting >= BATCH_SUBMISSIONS, LINGER_S)
        batch = self._take()
        self._room.notify_all()
        return batch

    def _settle(self, batch: list[Group]) -> None:
        """Tell all who wait of the outcome."""
        if self._broken is not None:
            _fail(batch, self._breakage())
        failed = [ticket for group in batch for ticket in group.tickets if ticket.error is not None]
        last = batch[-1].tickets[-1].number
        for group in batch:
            group.settle()
        with self._lock:
            self._failed.update((ticket.number, ticket) for ticket in failed)
            self._batch = []
            self.finished = last
            self._outcome.notify_all()

    def _take(self) -> list[Group]:
        batch = self._batch
        tickets = size_bytes = 0
        while self._queue and tickets < BATCH_SUBMISSIONS and size_bytes < BATCH_BYTES:
            batch.append(self._queue[0])  # Before it leaves the queue: a child that is forked here has to find it.
            group = self._queue.popleft()
            tickets += len(group.tickets)
            size_bytes += group.size_bytes
        self._waiting -= tickets
        self._waiting_bytes -= size_bytes
        self._is_urgent = self._is_urgent and bool(self._queue)
        return batch

    def _commit(self, batch: list[Group]) -> None:
        """Commit a batch; a refused submission leaves the others alone, a failed transaction fails all."""
        if self._broken is not None:
            return
        try:
            if self._elsewhere(batch):
                return
        except Exception as error:  # noqa: BLE001 — as below; nothing was begun in this process that could break
            _fail(batch, error)
            return
        try:
            with self._env.begin(write=True, needed_bytes=sum([group.size_bytes for group in batch])) as txn:
                writer = self._open_writer(txn)
                writer.write(batch)
                writer.flush()
            writer.committed()
        except BaseException as error:  # noqa: BLE001 — whoever waits for the ticket gets it
            _fail(batch, error)
            if not isinstance(error, LinealError) or isinstance(error, StoreBroken):
                self._broken = error


def _fail(batch: Iterable[Group], error: BaseException) -> None:
    """Note why tickets are not committed, where no reason is known by then."""
    for group in batch:
        for ticket in group.tickets:
            ticket.error = ticket.error or error
