"""Executors that are passed in: whatever fulfils the contract of `concurrent.futures.Executor` does."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor

from lineal import Client, pipeline, step
from lineal.errors import StepFailed


class OwnThreads(Executor):
    """A user's own: a thread for each call."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call it in a thread."""
        future: Future[Any] = Future()

        def call() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001
                future.set_exception(error)

        threading.Thread(target=call).start()
        return future


def spawned() -> Executor:
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


def loky() -> Executor:
    executor: Executor = get_reusable_executor(max_workers=2)
    return executor


@step(version="1")
def numbers(size: int) -> np.ndarray:
    return np.arange(size)


@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(2), OwnThreads, spawned, loky])
def test_steps_execute_where_they_are_told_to(client: Client, make: Callable[[], Executor]) -> None:
    @step(version="1")
    def total(size: int) -> tuple[int, int]:
        import os

        print("adding")
        return sum(range(size)), os.getpid()

    @step(version="1")
    def bad(total: int) -> None:
        raise ValueError(f"not {total}")

    @pipeline
    def adding() -> None:
        for size in (10, 20, 30):
            made, _ = total(size)
        bad(made)

    executor = make()
    try:
        with pytest.raises(StepFailed, match="ValueError: not 435"):
            adding.with_options(executor=executor)()
        (run,) = client.runs()
        done = [found for found in run.steps.values() if found.name.startswith("total")]
        assert [found.outputs["output_0"].load() for found in done] == [45, 190, 435]
        assert {found.log for found in done} == {"adding\n"}
        pids = {found.outputs["output_1"].load() for found in done}
        assert (os.getpid() in pids) == isinstance(executor, ThreadPoolExecutor | OwnThreads)
    finally:
        executor.shutdown()


def test_an_executor_that_refuses_fails_the_step_and_says_why(client: Client) -> None:
    @pipeline
    def refused() -> None:
        numbers(3)

    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(StepFailed, match="cannot schedule new futures after shutdown"):
        refused.with_options(executor=executor)()
    (run,) = client.runs()
    assert (run.status, run.steps["numbers"].status) == ("failed", "failed")


def test_a_time_limit_holds_on_an_executor_that_can_stop_nothing(client: Client) -> None:
    @step(version="1", timeout_s=0.3)
    def stuck() -> None:
        while True:
            pass

    @pipeline
    def sticking() -> None:
        stuck()

    with pytest.raises(StepFailed, match="took longer than"):
        sticking.with_options(executor=OwnThreads())()
