"""Threads that execute steps, and that a program does not wait for at its end, as it does for those of the library."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any

from ...stopping import raise_in
from .worker import Stopped

_Job = tuple[Future[Any], Callable[[], Any]]


class StepThreads(Executor):
    """So many threads, each started when there is work that no other is free for."""

    def __init__(self, workers: int) -> None:
        """Start none yet."""
        self._max = workers
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._unfinished = 0
        self._working: dict[Future[Any], int] = {}
        """By what they work on, threads that can be stopped."""
        self._is_closing = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a thread call this."""
        future: Future[Any] = Future()
        with self._lock:
            if self._is_closing:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._unfinished += 1
            self._jobs.put((future, lambda: fn(*args, **kwargs)))
            if self._unfinished > len(self._threads) < self._max:
                name = f"lineal-step-{len(self._threads)}"
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
        return future

    def stop(self, future: Future[Any]) -> None:
        """Raise `Stopped` in the thread that works on it, at its next step in Python: no call into C is cut short."""
        if future.cancel():
            return
        with self._lock:
            thread = self._working.get(future)
            if thread is not None:
                raise_in(thread, Stopped, partial(self.stop, future))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more, and wait for what is under way, if asked to."""
        with self._lock:
            self._is_closing = True
            while cancel_futures and not self._jobs.empty():
                job = self._jobs.get()
                if job is not None:
                    job[0].cancel()
            for _ in self._threads:
                self._jobs.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, call = job
            if future.set_running_or_notify_cancel():
                try:
                    result = self._called(future, call)
                except BaseException as error:  # noqa: BLE001 — the future carries it, as the contract says
                    future.set_exception(error)
                else:
                    future.set_result(result)
            with self._lock:
                self._unfinished -= 1

    def _called(self, future: Future[Any], call: Callable[[], Any]) -> Any:
        try:
            with self._lock:
                self._working[future] = threading.get_ident()
            return call()
        finally:
            # One that was told to stop is stopped here at the latest: nothing is told once the lock is free again.
            with self._lock:
                self._working.pop(future, None)
