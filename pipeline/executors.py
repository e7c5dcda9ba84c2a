"""Where step runs execute. The contract is `concurrent.futures.Executor`; any such executor may be passed in."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal

from ..errors import InvalidPipeline

ExecutorChoice = Literal["inline", "processes"] | Executor


class InlineExecutor(Executor):
    """Executes in the calling thread, when submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call it now and give the finished future; an interrupt passes through."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 — the future carries it, as the contract says
            future.set_exception(error)
        return future


def shares_memory(executor: Executor) -> bool:
    """Whether tasks run in this process; anything that isn't known to is sent everything in bytes."""
    return isinstance(executor, InlineExecutor | ThreadPoolExecutor)


class LazyProcesses(Executor):
    """A pool of spawned processes, started when the first task is submitted: a run that is all hits starts none."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit to the pool."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn"))
        return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait, cancel_futures=cancel_futures)


@contextmanager
def opened(choice: ExecutorChoice) -> Iterator[Executor]:
    """The executor chosen; one that is ours is shut down afterwards, one that was passed in stays the caller's."""
    if isinstance(choice, Executor):
        yield choice
    elif choice == "inline":
        yield InlineExecutor()
    elif choice == "processes":
        pool = LazyProcesses()
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
    else:
        raise InvalidPipeline(
            f"there is no executor {choice!r}",
            hint="Say 'inline' or 'processes', or pass a concurrent.futures.Executor.",
        )
