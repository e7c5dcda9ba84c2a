"""Where step runs execute. The contract is `concurrent.futures.Executor`; any such executor may be passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal

from ...errors import InvalidPipeline
from .pool import Processes, WorkerPool, usable_cores
from .step_threads import StepThreads
from .warm import warm_pools

ExecutorName = Literal["inline", "threads", "processes"]
ExecutorChoice = ExecutorName | tuple[ExecutorName, int] | Processes | Executor
"""By name, also with the number of workers, which is that of the cores otherwise; or any executor."""


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
    return isinstance(executor, InlineExecutor | StepThreads | ThreadPoolExecutor)


def prints_here(executor: Executor) -> bool:
    """Whether what tasks print goes through this process's streams, at least while it draws on the terminal."""
    return shares_memory(executor) or isinstance(executor, WorkerPool)


@contextmanager
def opened(choice: ExecutorChoice) -> Iterator[Executor]:
    """The executor chosen; what is ours is let go of afterwards, one that was passed in stays the caller's.

    Raises:
        InvalidPipeline: There is no such executor.
    """
    if isinstance(choice, Executor):
        yield choice
        return
    kind, workers = _described(choice)
    if kind == "inline":
        yield InlineExecutor()
    elif kind == "threads":
        threads = StepThreads(workers or usable_cores())
        try:
            yield threads
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
    else:
        processes = choice if isinstance(choice, Processes) else Processes(workers)
        with warm_pools.leased(processes) as pool:
            yield pool


def _described(choice: object) -> tuple[ExecutorName, int | None]:
    if isinstance(choice, Processes):
        return "processes", choice.workers
    kind, workers = choice if isinstance(choice, tuple) and len(choice) == 2 else (choice, None)
    if kind not in ("inline", "threads", "processes"):
        raise InvalidPipeline(
            f"there is no executor {choice!r}",
            hint="Say 'inline', 'threads' or 'processes', or ('processes', 4), or pass a concurrent.futures.Executor.",
        )
    if workers is not None and (not isinstance(workers, int) or workers < 1):
        raise InvalidPipeline(f"{workers!r} is no number of workers", hint="Say one or more.")
    return kind, workers
