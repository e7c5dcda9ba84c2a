"""Steps in processes of executors that are not ours: what they write there, the process of their run commits."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from importlib import import_module
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any

import pytest

from lineal import Client
from lineal.errors import ArtifactNotFound, NoStepRunning
from lineal.pipeline.executing.afar import called_from

FLOW = """
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lineal
from lineal import pipeline, step
from lineal.cas.environment import Environment
from lineal.errors import LinealError

def written_by(call):
    "How often this process has begun to write to a database while it makes a call."
    begun, begin = [], Environment.begin

    def noted(*args, write=False, **kwargs):
        begun.extend([None] * write)
        return begin(*args, write=write, **kwargs)

    Environment.begin = noted
    try:
        call()
    finally:
        Environment.begin = begin
    return len(begun)

@step(timeout_s=60)
def limited() -> list[int]:
    return [os.getpid(), written_by(lambda: lineal.save("limited", "by-limited"))]

@pipeline
def limiting() -> None:
    limited()

@step
def own_process() -> int:
    lineal.save(1, "own")
    return os.getpid()

@pipeline
def at_home() -> None:
    own_process()

@step(cache=False)
def leaving(folder: str) -> None:
    def late():
        while not Path(folder, "ended").exists():
            time.sleep(0.01)
        try:
            lineal.save(1, "late")
            said = "nothing"
        except LinealError as error:
            said = type(error).__name__
        Path(folder, "said").write_text(said)

    threading.Thread(target=late, daemon=True).start()
    lineal.save(0, "in-time")

@pipeline
def left(folder: str) -> None:
    leaving(folder)

@step(cache=False)
def together(folder: str, number: int) -> int:
    Path(folder, f"begun-{number}").touch()
    while not all(Path(folder, f"begun-{other}").exists() for other in range(2)):
        time.sleep(0.01)
    for point in range(20):
        lineal.save([number, point], f"by-{number}")
        lineal.context().progress(point + 1, 20)
    return os.getpid()

@pipeline
def pair(folder: str) -> None:
    together.map([folder, folder], [0, 1])

def outside(path):
    with lineal.open(path) as store:
        return written_by(lambda: (store.save(2, "outside"), store.flush()))
"""


class Calling:
    """Calls what it is told to."""

    def call(self, fn: Callable[..., Any], args: Sequence[Any]) -> Any:
        return fn(*args)


class CallingProcess(BaseManager):
    """A process that makes several calls at once, each in a thread of its own."""


CallingProcess.register("Calling", Calling)


class Threaded(Executor):
    """Has two calls at once made in one other process."""

    def __init__(self) -> None:
        self._process = CallingProcess(ctx=multiprocessing.get_context("fork"))
        self._process.start()
        self._calling = self._process.Calling()  # type: ignore[attr-defined]
        self._threads = ThreadPoolExecutor(2)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._threads.submit(self._calling.call, fn, args)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        self._process.shutdown()


@pytest.fixture
def flow(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The pipelines, where other processes find them, too."""
    (tmp_path / "afar_flow.py").write_text(FLOW)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "afar_flow", raising=False)
    return import_module("afar_flow")


@pytest.fixture
def pool() -> Iterator[ProcessPoolExecutor]:
    """One process, which is made for the first call."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        yield pool


def test_a_step_afar_with_a_time_limit_writes_nothing_itself(
    client: Client, flow: Any, pool: ProcessPoolExecutor
) -> None:
    run = flow.limiting.with_options(executor=pool)()
    pid, written = run.steps["limited"].output.load()
    assert pid != os.getpid()
    assert written == 0
    assert client.load("by-limited") == "limited"


def test_what_a_step_saves_in_the_process_of_its_run_goes_straight_into_the_store(
    client: Client, flow: Any, elsewhere: Executor
) -> None:
    run = flow.at_home.with_options(executor=elsewhere)()
    assert run.steps["own_process"].output.load() == os.getpid()
    assert client.load("own") == 1


def test_a_process_writes_for_itself_again_once_its_step_has_ended_but_what_the_step_left_may_not(
    client: Client, flow: Any, pool: ProcessPoolExecutor, tmp_path: Path
) -> None:
    flow.left.with_options(executor=pool)(str(tmp_path))
    assert pool.submit(flow.outside, client.path).result() > 0
    (tmp_path / "ended").touch()
    said = tmp_path / "said"
    while not (said.exists() and said.read_text()):
        time.sleep(0.01)
    assert said.read_text() == "NoStepRunning"
    assert client.load("in-time") == 0
    assert client.load("outside") == 2
    with pytest.raises(ArtifactNotFound):
        client.load("late")


def test_a_step_afar_can_not_write_when_the_process_of_its_run_is_gone(client: Client, tmp_path: Path) -> None:
    with called_from(str(tmp_path / "nobody"), client.path, "step") as line:
        assert line is not None
        with pytest.raises(NoStepRunning, match="can't be reached"):
            client.save(1, "lost")
    client.save(2, "kept")
    assert client.load("kept") == 2
    with pytest.raises(ArtifactNotFound):
        client.load("lost")


def test_what_steps_afar_save_that_share_a_process_is_committed(client: Client, flow: Any, tmp_path: Path) -> None:
    with Threaded() as executor:
        run = flow.pair.with_options(executor=executor)(str(tmp_path))
    pids = {step.output.load() for step in run.steps.values()}
    assert len(pids) == 1
    assert os.getpid() not in pids
    assert [client.load(f"by-{number}@20") for number in range(2)] == [[0, 19], [1, 19]]
    assert client.verify().is_sound
