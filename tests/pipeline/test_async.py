"""Steps that are async functions."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lineal import Client, pipeline, step
from lineal.errors import StepFailed

together = threading.Barrier(2, timeout=30)


@step
async def fetch(n: int) -> int:
    print("fetching", n)
    await asyncio.sleep(0)
    return sum(await asyncio.gather(*(asyncio.sleep(0, i) for i in range(n))))


@step
async def meet(n: int) -> int:
    await asyncio.to_thread(together.wait)
    return n


@step
async def broken() -> int:
    await asyncio.sleep(0)
    raise ValueError("no answer")


@pipeline
def fetching() -> None:
    fetch(fetch(3))


def test_an_async_step_gives_what_it_returns(client: Client, executor: Any) -> None:
    run = fetching.with_options(executor=executor)()
    assert [one.output.load() for one in run.steps.values()] == [3, 3]
    assert run.steps["fetch"].log == "fetching 3\n"
    assert fetching().steps["fetch_2"].is_cached


def test_async_steps_run_at_once_in_threads(client: Client) -> None:
    @pipeline
    def meeting() -> None:
        meet(1)
        meet(2)

    with ThreadPoolExecutor(2) as pool:
        assert meeting.with_options(executor=pool)().status == "completed"


def test_an_async_step_runs_where_a_loop_runs_already(client: Client) -> None:
    async def in_a_notebook() -> Any:
        return fetching()

    assert asyncio.run(in_a_notebook()).steps["fetch"].output.load() == 3


def test_what_an_async_step_raises_fails_it(client: Client) -> None:
    @pipeline
    def failing() -> None:
        broken()

    with pytest.raises(StepFailed, match="no answer"):
        failing()


def test_outside_a_pipeline_an_async_step_is_the_plain_function() -> None:
    assert asyncio.run(fetch(2)) == 1
