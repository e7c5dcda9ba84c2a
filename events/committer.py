"""Group commit: one thread of a process writes what all its threads submit, many submissions in one transaction.

Invariant: submissions of one thread are committed in the order in which it made them, each whole or not at all,
and a ticket is done only after the commit was synced.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ..errors import LinealError, StoreBroken, StoreClosed
from .log import Database

if TYPE_CHECKING:
    import lmdb

_BATCH_SUBMISSIONS = 1000
_BATCH_BYTES = 8 * 1024 * 1024
_WAITING_SUBMISSIONS = 20_000
_WAITING_BYTES = 64 * 1024 * 1024
LINGER_S = 0.02
"""How long a submission may wait for company where nobody waits for it."""


class Writer(Protocol):
    """Where the submissions of one transaction are written."""

    def flush(self) -> None:
        """Hand over what was gathered; the commit follows."""


W = TypeVar("W", bound=Writer)
_Wc = TypeVar("_Wc", bound=Writer, contravariant=True)


class Submission(Protocol[_Wc]):
    """Something to be committed whole."""

    size_bytes: int
    """About how much it writes."""

    def check(self, writer: _Wc, /) -> None:
        """Refuse, by raising a `LinealError`, before anything is written."""

    def write(self, writer: _Wc, /) -> None:
        """Write; what fails here fails the whole transaction."""

    def settle(self) -> None:
        """Hear that the outcome is known."""


class Ticket:
    """A submission's claim on its outcome."""

    __slots__ = ("_committer", "_submission", "done", "error")

    def __init__(self, committer: Committer[Any], submission: Submission[Any]) -> None:
        self._committer = committer
        self._submission = submission
        self.done = False
        self.error: BaseException | None = None

    def wait(self) -> None:
        """Return when the submission is durable; raise what made it fail."""
        self._committer._await(self)
        if self.error is not None:
            raise self.error


class Committer(Generic[W]):
    """The queue and the thread. Threads may share it; a forked child gets its own thread and an empty queue.

    What nobody waits for may linger for `LINGER_S`, so that many submissions make one transaction and the thread
    that submits is not held up by the one that commits.
    """

    def __init__(self, environment: Database, open_writer: Callable[[lmdb.Transaction], W]) -> None:
        """Commit to this environment, through a writer opened for each transaction."""
        self._env = environment
        self._open_writer = open_writer
        self._broken: BaseException | None = None
        self._start_over()

    def _start_over(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition(threading.Lock())
        self._queue: deque[Ticket] = deque()
        self._queued_bytes = 0
        self._unfinished = 0
        self._failed: list[Ticket] = []
        self._thread: threading.Thread | None = None
        self._closing = False
        self._is_urgent = False

    def submit(self, submission: Submission[W]) -> Ticket:
        """Queue a submission, in about a microsecond; waits only where the queue is full.

        Raises:
            StoreBroken: An earlier write failed; only opening the store again makes its state known.
        """
        if os.getpid() != self._pid:
            self._start_over()
        ticket = Ticket(self, submission)
        with self._changed:
            self._refuse_if_unusable()
            while len(self._queue) >= _WAITING_SUBMISSIONS or self._queued_bytes >= _WAITING_BYTES:
                self._hurry()
                self._changed.wait()
            self._queue.append(ticket)
            self._queued_bytes += submission.size_bytes
            self._unfinished += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lineal-committer", daemon=True)
                self._thread.start()
            elif len(self._queue) == 1 or len(self._queue) == _BATCH_SUBMISSIONS:
                self._changed.notify_all()
        return ticket

    def _hurry(self) -> None:
        """Let the thread commit now; call it with the lock held."""
        if not self._is_urgent:
            self._is_urgent = True
            self._changed.notify_all()

    def _refuse_if_unusable(self) -> None:
        if self._closing:
            raise StoreClosed("the store is closed", hint="Open it again.")
        if self._broken is not None:
            raise StoreBroken(
                f"an earlier write failed: {self._broken}", hint="Close the store and open it again."
            ) from self._broken

    @property
    def is_idle(self) -> bool:
        """Whether everything submitted by this process has its outcome."""
        return self._unfinished == 0 or os.getpid() != self._pid

    def flush(self) -> None:
        """Return when everything submitted before is durable; raise the first failure nobody has waited for."""
        self.drain()
        with self._changed:
            failed, self._failed = self._failed, []
        for ticket in failed:
            if ticket.error is not None:
                raise ticket.error

    def drain(self) -> None:
        """Return when everything submitted before has its outcome, good or bad."""
        if self.is_idle:
            return
        with self._changed:
            while self._unfinished:
                self._hurry()
                self._changed.wait()

    def _await(self, ticket: Ticket) -> None:
        with self._changed:
            while not ticket.done:
                self._hurry()
                self._changed.wait()
            if ticket in self._failed:
                self._failed.remove(ticket)

    def close(self) -> None:
        """Commit what is queued and end the thread."""
        if os.getpid() != self._pid:
            self._start_over()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    if self._closing:
                        return
                    self._changed.wait()
                self._linger()
                batch = self._take()
                self._changed.notify_all()
            self._commit(batch)
            for ticket in batch:
                ticket._submission.settle()
            with self._changed:
                for ticket in batch:
                    ticket.done = True
                    if ticket.error is not None:
                        self._failed.append(ticket)
                self._unfinished -= len(batch)
                self._changed.notify_all()

    def _linger(self) -> None:
        """Give up the lock until somebody waits, a batch is full, or the first submission has waited enough."""
        self._changed.wait_for(
            lambda: self._is_urgent or self._closing or len(self._queue) >= _BATCH_SUBMISSIONS, LINGER_S
        )

    def _take(self) -> list[Ticket]:
        batch: list[Ticket] = []
        size_bytes = 0
        while self._queue and len(batch) < _BATCH_SUBMISSIONS and size_bytes < _BATCH_BYTES:
            ticket = self._queue.popleft()
            size_bytes += ticket._submission.size_bytes
            batch.append(ticket)
        self._queued_bytes -= size_bytes
        self._is_urgent = self._is_urgent and bool(self._queue)
        return batch

    def _commit(self, batch: list[Ticket]) -> None:
        """Commit a batch; a refused submission leaves the others alone, a failed transaction fails all."""
        needed_bytes = sum(ticket._submission.size_bytes for ticket in batch)
        try:
            with self._env.errors(needed_bytes), self._env.begin(write=True) as txn:
                writer = self._open_writer(txn)
                for ticket in batch:
                    try:
                        ticket._submission.check(writer)
                    except LinealError as refusal:
                        ticket.error = refusal
                    else:
                        ticket._submission.write(writer)
                writer.flush()
        except BaseException as error:  # noqa: BLE001 — whoever waits for the ticket gets it
            if not isinstance(error, LinealError) or isinstance(error, StoreBroken):
                self._broken = error
            for ticket in batch:
                ticket.error = ticket.error or error
