"""The pool's ends of its processes: the nursery, and each worker with the call that it works on."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from ...errors import StepTimeout, WorkerDied
from ..capturing.spill import new_spill, spilled
from .nursery import MESSAGE, SIGNAL, START, command_of
from .worker import TURN

_OURS = ("lineal.pipeline.workers.worker", "lineal.pipeline.executing.parcel")
_READY_MADE = ("numpy", "pyarrow", "pandas")
"""Libraries that later workers start with where this process has them: no thread that a fork could miss comes of that.
"""
_OUT_OF_MEMORY = "The system kills what takes too much memory: see its log (dmesg)."


Hear = Callable[[Any], Any]
"""Hears what a call tells while it goes on, and answers what it asks."""


class Terms(NamedTuple):
    """How a call is made."""

    timeout_s: float | None = None
    """How long it may take from its beginning; then its worker is stopped."""
    kind: str | None = None
    """Calls of one kind take about as long as each other: where that is short, several travel together, and what is
    held up behind another one goes to a worker that has nothing to do."""
    hear: Hear | None = None
    """By whom; it must take no time for what is told, and raise nothing."""


@dataclass(slots=True, eq=False)
class Job:
    """A call on its way."""

    future: Future[Any]
    data: bytes
    terms: Terms
    due: float | None = None
    """When it times out, on the clock of `time.monotonic`."""
    has_begun: bool = False
    """Whether its future says that it runs: it can't be cancelled any more."""
    is_timed_out: bool = False
    is_stopped: bool = False
    context: Context = field(default_factory=copy_context)
    """That of who submitted it: what it asks for is answered there, not where the thread that answers was started."""


class Turns:
    """Which of the jobs that a worker was sent it may begin: a number each, which either side takes, and nobody twice.

    So jobs can be sent ahead of their time, and taken back from a worker that is held up.
    """

    def __init__(self) -> None:
        self._giving, self.taken_from = socket.socketpair()
        self._given: dict[int, Job] = {}
        self._last = 0

    def give(self, jobs: Sequence[Job]) -> list[int]:
        """Let jobs be begun, in this order; give the numbers that they are known by."""
        numbers = list(range(self._last + 1, self._last + 1 + len(jobs)))
        self._last += len(jobs)
        self._given = dict(zip(numbers, jobs, strict=True))
        self._giving.sendall(b"".join(map(TURN.pack, numbers)))
        return numbers

    def take_back(self, count: int) -> list[Job]:
        """Let jobs not be begun that were not, so many at most."""
        try:
            numbers = self.taken_from.recv(TURN.size * count, socket.MSG_DONTWAIT)
        except OSError:
            return []
        return [self._given[number] for (number,) in TURN.iter_unpack(numbers)]

    def close(self) -> None:
        """Let go of both ends."""
        self._giving.close()
        self.taken_from.close()


class Worker:
    """One worker."""

    def __init__(self, ours: socket.socket) -> None:
        """Talk to it through this socket."""
        self.connection = Connection(ours.detach())
        self.turns = Turns()
        self.log_fd = new_spill()
        self.pid: int | None = None
        """None until the nursery has told."""
        self.jobs: deque[Job] = deque()
        """What it was given and has not replied to: it works on the first."""
        self.wanted_signal: int | None = None
        """What it is to be sent once its pid is known."""
        self.kill_at: float | None = None
        """When it is killed, if it was told to stop, on the clock of `time.monotonic`."""
        self.is_ready = False
        """Whether its process has started."""
        self.is_gone = False
        """Whether its socket has come to its end."""
        self.is_retiring = False
        """Whether it gets no more jobs."""

    @property
    def is_idle(self) -> bool:
        """Whether it can take a job."""
        return not self.jobs and not self.is_gone and not self.is_retiring and self.kill_at is None

    def take(self, jobs: Sequence[Job]) -> None:
        """Begin jobs, one after the other."""
        self.jobs += jobs
        self.begin()
        with suppress(OSError):  # It died since: that is seen to when the nursery tells of it.
            numbers = self.turns.give(jobs)
            sent = {number: (job.data, job.terms.hear is not None) for number, job in zip(numbers, jobs, strict=True)}
            self.connection.send_bytes(pickle.dumps(sent, pickle.HIGHEST_PROTOCOL))

    def give_back(self, count: int) -> list[Job]:
        """Take back jobs that it has not begun, so many at most, in their order; it never will."""
        back = self.turns.take_back(count)
        for job in back:
            self.jobs.remove(job)
        return back

    def begin(self) -> None:
        """Let the time of its job run, if it has both a job and a process that has started."""
        job = self.jobs[0] if self.jobs else None
        if self.is_ready and job is not None and job.terms.timeout_s is not None:
            job.due = time.monotonic() + job.terms.timeout_s

    def close(self) -> None:
        """Let go of the sockets, which ends a worker that is idle, and of its log."""
        self.connection.close()
        self.turns.close()
        fd, self.log_fd = self.log_fd, -1
        if fd >= 0:
            os.close(fd)

    def death(self, job: Job, status: int | None) -> BaseException:
        """What ended the job it worked on, given its exit code, negative for a signal; None where nobody knows it."""
        if job.is_stopped:
            return CancelledError()
        log = spilled(self.log_fd)
        if job.is_timed_out:
            limit_s = job.terms.timeout_s
            return StepTimeout(
                f"it took longer than {limit_s:g} s", hint="Give it a longer timeout_s.", timeout_s=limit_s, log=log
            )
        hint = None
        name: str | None = None
        if status is None:
            what = "its process ended"
        elif status < 0:
            name = _signal_name(-status)
            what = f"its process was ended by {name}"
            hint = _OUT_OF_MEMORY if name == "SIGKILL" else None
        else:
            what = f"its process ended with exit code {status}"
        return WorkerDied(what, hint=hint, signal=name, exit_code=status, log=log)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class NurseryProcess:
    """The nursery's process, and the socket to it."""

    def __init__(self, *, is_forking: bool, preload: Sequence[str]) -> None:
        """Start it."""
        self.control, theirs = socket.socketpair()
        spare = [name for name in _READY_MADE if name in sys.modules]
        command = command_of("lineal.pipeline.workers.nursery", theirs.fileno(), is_forking, [*_OURS, *preload], spare)
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
        )
        theirs.close()
        self._heard = b""

    def new_worker(self) -> Worker:
        """Ask for a worker; it can be given a job at once."""
        ours, theirs = socket.socketpair()
        worker = Worker(ours)
        with suppress(OSError):  # Where the nursery died, what listens to it is about to notice.
            fds = [theirs.fileno(), worker.turns.taken_from.fileno(), worker.log_fd]
            socket.send_fds(self.control, [MESSAGE.pack(START, 0, 0)], fds)
        theirs.close()
        return worker

    def signal(self, worker: Worker, number: int) -> None:
        """Send a signal to a worker and what it has started, as soon as its pid is known."""
        if worker.pid is None:
            worker.wanted_signal = number
            return
        with suppress(OSError):  # The nursery died: its workers are taken for dead with it.
            self.control.sendall(MESSAGE.pack(SIGNAL, worker.pid, number))

    def heard(self) -> Iterator[tuple[int, int, int]]:
        """What it says, once its socket can be read. Raises `EOFError` if it is gone."""
        try:
            data = self.control.recv(MESSAGE.size * 64)
        except OSError:
            data = b""
        if not data:
            raise EOFError
        self._heard += data
        while len(self._heard) >= MESSAGE.size:
            yield MESSAGE.unpack(self._heard[: MESSAGE.size])
            self._heard = self._heard[MESSAGE.size :]

    def close(self) -> None:
        """End it, and with it all workers."""
        self.control.close()
        self._process.wait()

    def abandon(self) -> None:
        """Let go of it in a forked child, whose process it is not."""
        self.control.close()
        self._process.returncode = 0
