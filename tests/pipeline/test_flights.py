"""Identical steps at the same time: one computes, in whatever run of this process."""

from __future__ import annotations

import threading
import time
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

from lineal import Client, Pipeline, pipeline, step
from lineal.errors import StepFailed


def counted(folder: Path, *, fails: bool = False) -> Any:
    """A pipeline of four equal steps that each leave a mark; and the number of marks."""

    @step(version=str(fails))
    def mark(where: str) -> int:
        import os
        import time

        os.close(os.open(f"{where}/{time.perf_counter_ns()}.{os.getpid()}", os.O_CREAT))
        time.sleep(0.1)
        if fails:
            raise ValueError("marked")
        return 7

    @pipeline
    def marking(where: str) -> None:
        for _ in range(4):
            mark(where)

    folder.mkdir()
    return marking, lambda: len(list(folder.iterdir()))


@pytest.mark.parametrize("executor", ["threads", ("processes", 2)])
def test_of_equal_steps_of_a_run_one_executes_and_the_others_reuse_it(
    client: Client, tmp_path: Path, executor: Any
) -> None:
    marking, count = counted(tmp_path / "marks")
    run = marking.with_options(executor=executor)(str(tmp_path / "marks"))
    assert count() == 1
    assert [found.status for found in run.steps.values()] == ["completed", "cached", "cached", "cached"]
    assert {found.reuses for found in list(run.steps.values())[1:]} == {run.steps["mark"]}


def test_a_literal_is_there_for_who_executes_though_who_was_given_it_first_waits(client: Client) -> None:
    @step(ignore_inputs=["note"])
    def slow(x: int, note: str) -> int:
        time.sleep(0.2)
        return x

    @step
    def quick(note: str) -> str:
        return note

    @pipeline
    def noting() -> None:
        slow(1, note="first")
        slow(1, note="second")
        quick("second")

    run = noting.with_options(executor=("threads", 3))()
    statuses = {name: found.status for name, found in run.steps.items()}
    assert statuses == {"slow": "completed", "slow_2": "cached", "quick": "completed"}
    assert run.steps["quick"].output.load() == "second"


def test_of_equal_steps_of_several_runs_at_once_one_executes(client: Client, tmp_path: Path) -> None:
    marking, count = counted(tmp_path / "marks")
    runs: list[Any] = []

    def run() -> None:
        runs.append(marking(str(tmp_path / "marks")))

    threads = [threading.Thread(target=copy_context().run, args=(run,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert count() == 1
    statuses = [found.status for one in runs for found in one.steps.values()]
    assert sorted(statuses) == ["cached"] * 15 + ["completed"]


def test_where_the_first_fails_the_next_tries_itself(client: Client, tmp_path: Path) -> None:
    marking, count = counted(tmp_path / "marks", fails=True)
    with pytest.raises(StepFailed):
        marking.with_options(executor=("threads", 2), failure="continue")(str(tmp_path / "marks"))
    assert count() == 4


def enclosing() -> Pipeline[[], None]:
    """A pipeline with a step that runs a pipeline with the same step as its next one."""

    @step(version="1")
    def nested(depth: int) -> int:
        return depth

    @step(version="1")
    def outer() -> int:
        inner()
        return 1

    @pipeline
    def inner() -> None:
        nested(1)

    @pipeline
    def enclosing() -> None:
        outer()
        nested(1)

    return enclosing


def test_a_step_that_runs_a_pipeline_which_needs_its_equal_does_not_wait_for_itself(client: Client) -> None:
    begun = time.monotonic()
    run = enclosing()()
    assert time.monotonic() - begun < 30
    assert [found.status for found in run.steps.values()] == ["completed", "cached"]


def test_a_step_on_the_only_thread_does_not_wait_for_its_equal_that_is_queued_behind_it(client: Client) -> None:
    called = enclosing().with_options(executor=("threads", 1))
    runs: list[Any] = []
    thread = threading.Thread(target=copy_context().run, args=(lambda: runs.append(called()),), daemon=True)
    thread.start()
    thread.join(30)
    assert [[found.status for found in run.steps.values()] for run in runs] == [["completed", "completed"]]
