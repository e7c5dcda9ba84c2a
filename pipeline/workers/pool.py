"""A pool of worker processes, in which a call can be stopped and a worker can die without harm to the others.

`concurrent.futures.ProcessPoolExecutor` breaks with all that it holds when one process dies, and can stop none. Here
each worker has a socket of its own and one call at a time, so it is known which call a death ends; the next call gets a
new worker.
"""

from __future__ import annotations

import itertools
import math
import os
import pickle
import selectors
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from .line import ASKED, TOLD, portable
from .nursery import GRACE_S, STARTED
from .worker import READY, RETURNED, STALE
from .workforce import Job, NurseryProcess, Terms, Worker

_TOGETHER_S, _TOGETHER_BYTES = 0.005, 64 * 1024
"""What goes to a worker at once takes no longer, and is no larger: a socket holds that much, so nobody waits for it to
be read."""
_KINDS_MAX = 1000
_ANSWERED_AT_ONCE = 4


def usable_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Processes:
    """Worker processes as an executor, kept warm between runs while environment, directory and path stay the same."""

    workers: int | None = None
    """How many at once; None: one for each core."""
    start: Literal["forkserver", "spawn"] = "forkserver"
    """``forkserver``: forked from a clean process, in milliseconds. ``spawn``: each a fresh interpreter."""
    preload: tuple[str, ...] = ()
    """Modules that the clean process imports, so that workers need not; only such as stand a fork once imported."""
    idle_s: float = 60.0
    """How long they are kept after the last run."""


class WorkerPool(Executor):
    """The pool. Threads may share it; a forked child can't use its parent's."""

    def __init__(self, processes: Processes) -> None:
        """Describe the pool; the first call starts its processes and a thread that watches over them."""
        self._processes = processes
        self._max = processes.workers or usable_cores()
        self._lock = threading.RLock()
        self._queue: deque[Job] = deque()
        self._workers: list[Worker] = []
        self._unnamed: deque[Worker] = deque()
        """Workers whose pids the nursery has not told yet, in the order in which they were asked for."""
        self._settled: list[tuple[Future[Any], bool, Any]] = []
        """Futures, and what they are to be told once the lock is free: whether it went well, and what it came to."""
        self._nursery: NurseryProcess | None = None
        self._selector: selectors.BaseSelector | None = None
        self._thread: threading.Thread | None = None
        self._wake_reading = self._wake_writing = -1
        self._told: list[tuple[Job, Any]] = []
        """What calls have told, to be heard once the lock is free."""
        self._answering = ThreadPoolExecutor(_ANSWERED_AT_ONCE, thread_name_prefix="lineal-answers")
        self._takes_s: dict[str | None, float] = {}
        """By kind, how long a call takes."""
        self._users = 0
        self._idle_s = processes.idle_s
        self._ends_at: float | None = None
        self._is_closing = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a worker call this; arguments and result are pickled."""
        return self.submit_as(Terms(), fn, *args, **kwargs)

    def submit_as(self, terms: Terms, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The same on terms.

        The future raises `StepTimeout` where it takes too long, and `WorkerDied` where the worker ended otherwise.
        """
        job = Job(Future(), pickle.dumps((fn, args, kwargs), pickle.HIGHEST_PROTOCOL), terms)
        with self._lock:
            if self._is_closing:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._thread is None:
                self._start()
            self._queue.append(job)
            self._assign()
            if terms.timeout_s is not None:
                self._wake()
        return job.future

    def stop(self, future: Future[Any]) -> None:
        """Stop a call, begun or not: its worker is told to, then killed; the future raises `CancelledError`."""
        if future.cancel():
            return
        with self._lock:
            for worker in self._workers:
                for job in [one for one in worker.jobs if one.future is future]:
                    self._stop(worker, job)

    def _stop(self, worker: Worker, job: Job) -> None:
        """Stop a job that a worker was given."""
        back = worker.give_back(len(worker.jobs))
        self._requeue(one for one in back if one is not job)
        if job in back:
            self._settled.append((job.future, False, CancelledError()))
        elif worker.jobs[-1] is job:  # Else it is done, and its reply on its way.
            job.is_stopped = True
            self._end(worker)
        self._assign()
        self._wake()

    def _requeue(self, jobs: Iterable[Job]) -> None:
        """Let jobs that no worker has begun be the next ones."""
        self._queue.extendleft(reversed([*jobs]))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and end the processes when those taken are done."""
        with self._lock:
            self._is_closing = True
            if cancel_futures:
                for job in self._queue:
                    job.future.cancel()
                self._queue.clear()
            thread = self._thread
            if thread is not None:
                self._wake()
        if wait and thread is not None:
            thread.join()

    def kill(self) -> None:
        """End the processes at once, whatever they do."""
        with self._lock:
            for worker in self._workers:
                if worker.jobs and self._nursery is not None:
                    for job in worker.jobs:
                        job.is_stopped = True
                    self._nursery.signal(worker, signal.SIGKILL)
        self.shutdown(cancel_futures=True)

    def lease(self) -> bool:
        """Keep it for a user until `release`; False if it has ended."""
        with self._lock:
            if not self._is_closing:
                self._users += 1
                self._ends_at = None
            return not self._is_closing

    def release(self) -> None:
        """One user less: after the last, the processes end in a while."""
        with self._lock:
            self._users -= 1
            self._consider_ending()

    def retire(self) -> None:
        """End the processes as soon as nobody uses them any more."""
        with self._lock:
            self._idle_s = 0
            self._consider_ending()

    def _consider_ending(self) -> None:
        if not self._users:
            self._ends_at = time.monotonic() + self._idle_s
            self._is_closing = self._is_closing or self._thread is None
            if not self._is_closing:
                self._wake()

    def abandon(self) -> None:
        """Let go of what a forked child has inherited, so that the processes end with their parent."""
        self._is_closing = True
        for worker in self._workers:
            worker.close()
        if self._nursery is not None:
            self._nursery.abandon()
            self._close_wake()

    def _start(self) -> None:
        self._nursery = self._new_nursery()
        self._wake_reading, self._wake_writing = os.pipe()
        os.set_blocking(self._wake_reading, False)
        os.set_blocking(self._wake_writing, False)
        self._thread = threading.Thread(target=self._watch, name="lineal-pool", daemon=True)
        self._thread.start()

    def _new_nursery(self) -> NurseryProcess:
        processes = self._processes
        return NurseryProcess(is_forking=processes.start == "forkserver", preload=processes.preload)

    def _wake(self) -> None:
        if self._wake_writing >= 0:
            with suppress(BlockingIOError):
                os.write(self._wake_writing, b"w")

    def _assign(self) -> None:
        """Give waiting jobs to workers that are idle, and start workers while there are too few."""
        assert self._nursery is not None
        while self._queue:
            worker = next((one for one in self._workers if one.is_idle), None)
            if worker is None:
                if sum(not one.is_retiring for one in self._workers) >= self._max:
                    return
                worker = self._nursery.new_worker()
                self._workers.append(worker)
                self._unnamed.append(worker)
                self._wake()
            jobs = self._next_jobs()
            if jobs:
                worker.take(jobs)
        for worker in self._workers:
            if worker.is_idle:
                self._relieve(worker)

    def _next_jobs(self) -> list[Job]:
        """The jobs that a worker gets next: one, or its share of those that are known to be short, and small."""
        share = -(-len(self._queue) // self._max)
        jobs: list[Job] = []
        takes_s, size_bytes = 0.0, 0
        while self._queue and (not jobs or len(jobs) < share):
            job = self._queue[0]
            takes_s += self._takes_s.get(job.terms.kind, math.inf)
            size_bytes += len(job.data)
            if jobs and (takes_s > _TOGETHER_S or size_bytes > _TOGETHER_BYTES):
                break
            self._queue.popleft()
            if job.has_begun or job.future.set_running_or_notify_cancel():
                job.has_begun = True
                jobs.append(job)
        return jobs

    def _relieve(self, idle: Worker) -> None:
        """Let a worker that has nothing to do have half of what another one has not begun."""
        other = max(self._workers, key=lambda one: len(one.jobs))
        back = other.give_back(len(other.jobs) // 2)
        if back:
            idle.take(back)

    def _end(self, worker: Worker) -> None:
        """Tell a worker to stop; it is killed if it has not after a while."""
        if worker.kill_at is None and self._nursery is not None:
            worker.kill_at = time.monotonic() + GRACE_S
            self._nursery.signal(worker, signal.SIGTERM)
            self._wake()

    def _watch(self) -> None:
        """Take replies, ends and timeouts, until the pool is closed and nothing is left to do."""
        try:
            self._watch_on()
        except BaseException as error:
            with self._lock:
                self._is_closing = True
                waiting = [*itertools.chain.from_iterable(one.jobs for one in self._workers), *self._queue]
            for job in waiting:
                job.future.set_exception(error)
            raise

    def _watch_on(self) -> None:
        assert self._nursery is not None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_reading, selectors.EVENT_READ)
        self._selector.register(self._nursery.control, selectors.EVENT_READ, self._nursery)
        watched: set[Worker] = set()
        while True:
            with self._lock:
                pause_s = self._keep_time()
                if self._is_closing and not self._queue and not any(one.jobs for one in self._workers):
                    break
                for worker in self._workers:
                    if worker not in watched and not worker.is_gone:
                        self._selector.register(worker.connection, selectors.EVENT_READ, worker)
                        watched.add(worker)
            for found, _ in self._selector.select(pause_s):
                with self._lock:
                    if isinstance(found.data, Worker):
                        self._take(found.data)
                    elif found.data is not None:
                        self._hear(found.data)
                    else:
                        os.read(self._wake_reading, 4096)
                    watched.intersection_update(self._workers)
                self._settle()
        self._close()

    def _close(self) -> None:
        with self._lock:
            for worker in self._workers:
                worker.close()
            self._workers.clear()
            assert self._selector is not None
            self._selector.close()
            self._close_wake()
        assert self._nursery is not None
        self._nursery.close()
        self._answering.shutdown(wait=False)

    def _close_wake(self) -> None:
        # Forgotten first: a child that is forked meanwhile would close what has these numbers by then.
        fds = self._wake_reading, self._wake_writing
        self._wake_reading = self._wake_writing = -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    def _keep_time(self) -> float | None:
        """Stop what is due; tell when to look again."""
        assert self._nursery is not None
        now = time.monotonic()
        when: list[float] = []
        for worker in self._workers:
            job = worker.jobs[0] if worker.jobs else None
            if job is not None and job.due is not None and worker.kill_at is None and now >= job.due:
                job.is_timed_out = True
                self._end(worker)
            if worker.kill_at is not None:
                if now >= worker.kill_at:
                    self._nursery.signal(worker, signal.SIGKILL)
                    worker.kill_at = now + GRACE_S
                when.append(worker.kill_at)
            elif job is not None and job.due is not None:
                when.append(job.due)
        if self._ends_at is not None:
            if now >= self._ends_at:
                self._is_closing = True
            when.append(self._ends_at)
        return max(0.0, min(when) - now) if when else None

    def _take(self, worker: Worker) -> None:
        """Take a worker's reply, and give it the next job; or notice that there will be none."""
        if worker.is_gone:
            return
        try:
            reply = worker.connection.recv_bytes()
        except (EOFError, OSError):
            self._lose_sight(worker)
            return
        if reply == READY:
            worker.is_ready = True
            worker.begin()
            return
        job = worker.jobs[0] if worker.jobs else None
        if job is None:
            return
        try:
            word, value, took_s = pickle.loads(reply)
        except Exception as error:  # noqa: BLE001 — what does not unpickle is the call's own, and so is what it raises
            word, value, took_s = "", error, math.inf
        if word == TOLD:
            self._told.append((job, value))
            return
        if word == ASKED:  # Also of a call that is told to stop: it may have to say how what it began has ended.
            self._answering.submit(self._answer, worker, job, value)
            return
        if job.is_timed_out or job.is_stopped:
            return  # It is on its way out.
        worker.jobs.popleft()
        if job.terms.kind is not None:
            self._note(job.terms.kind, took_s)
        if word == STALE:
            self._renew(job)
        else:
            self._settled.append((job.future, word == RETURNED, value))
        if worker.is_retiring and not worker.jobs:
            self._end(worker)
        self._assign()

    def _note(self, kind: str, took_s: float) -> None:
        """Learn how long calls of a kind take: from a longer one at once, from shorter ones in time."""
        if len(self._takes_s) >= _KINDS_MAX:
            self._takes_s.clear()
        self._takes_s[kind] = max(took_s, 0.8 * self._takes_s.get(kind, 0.0) + 0.2 * took_s)

    def _answer(self, worker: Worker, job: Job, asked: Any) -> None:
        """Give a call what it asked for, in a thread of its own as that may take its time."""
        assert job.terms.hear is not None
        try:
            answer = pickle.dumps((True, job.context.copy().run(job.terms.hear, asked)))
        except Exception as error:  # noqa: BLE001 — it is the call's that asked
            answer = pickle.dumps((False, portable(error)))
        with self._lock:
            if not worker.is_gone and worker.jobs and worker.jobs[0] is job:
                with suppress(OSError):
                    worker.connection.send_bytes(answer)

    def _lose_sight(self, worker: Worker) -> None:
        worker.is_gone = True
        assert self._selector is not None
        self._selector.unregister(worker.connection)

    def _renew(self, job: Job) -> None:
        """Let no worker go on with modules that are not what they are on disk any more; the job gets a new one.

        It comes to an end: what a worker is given first is never stale, and each new one is given such a job first.
        """
        for worker in self._workers:
            worker.is_retiring = True
            self._requeue(worker.give_back(len(worker.jobs)))
            if not worker.jobs:
                self._end(worker)
        self._requeue([job])

    def _hear(self, nursery: NurseryProcess) -> None:
        try:
            for word, pid, status in nursery.heard():
                if word == STARTED:
                    self._name(self._unnamed.popleft(), pid)
                else:
                    self._bury(next(one for one in self._workers if one.pid == pid), status)
        except EOFError:
            self._replace(nursery)
        self._assign()

    def _name(self, worker: Worker, pid: int) -> None:
        worker.pid = pid
        if worker.wanted_signal is not None and self._nursery is not None:
            self._nursery.signal(worker, worker.wanted_signal)

    def _bury(self, worker: Worker, status: int | None) -> None:
        """Take the last replies of a worker that is dead, and tell the future of what it worked on otherwise."""
        while not worker.is_gone and worker.connection.poll():
            self._take(worker)
        if not worker.is_gone:
            self._lose_sight(worker)
        self._workers.remove(worker)
        back = worker.give_back(len(worker.jobs))
        if back and not worker.is_ready:  # Else one that no process can start for would be tried for ever.
            worker.jobs.append(back.pop(0))
        self._requeue(back)
        for job in worker.jobs:
            self._settled.append((job.future, False, worker.death(job, status)))
        worker.close()

    def _replace(self, nursery: NurseryProcess) -> None:
        """Go on with another nursery: the workers of one that died are nobody's, and end."""
        assert self._selector is not None
        self._selector.unregister(nursery.control)
        nursery.close()
        for worker in list(self._workers):
            if worker.pid is not None:
                with suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)
            self._bury(worker, None)
        self._unnamed.clear()
        self._nursery = self._new_nursery()
        self._selector.register(self._nursery.control, selectors.EVENT_READ, self._nursery)

    def _settle(self) -> None:
        with self._lock:
            told, self._told = self._told, []
            settled, self._settled = self._settled, []
        for job, what in told:
            if job.terms.hear is not None:
                job.terms.hear(what)
        for future, is_well, value in settled:
            if is_well:
                future.set_result(value)
            else:
                future.set_exception(value)
