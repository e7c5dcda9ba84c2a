"""A run as it went."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Annotated

import msgpack
import pytest

from lineal import Client, pipeline, step
from lineal.cas import digest_of
from lineal.directory import create_store
from lineal.errors import StepFailed
from lineal.events import catalogue as facts
from lineal.events.ids import Fingerprint, RunId
from lineal.history import History, Scene
from lineal.store import Store

meeting = threading.Barrier(2)


@step
def talk(name: str) -> Annotated[str, "name"]:
    for word in ("one", "two"):
        print(name, word)
    print(name, "aside", file=sys.stderr)
    return name


@step
def fail(name: str) -> str:
    print("before the end")
    raise ValueError(name)


@pipeline
def talking() -> None:
    fail(talk("a"))


def told(scene: Scene) -> str:
    """A scene in a word."""
    if scene.event is not None:
        return scene.event.type.partition("/")[0]
    assert scene.printed is not None
    return f"{scene.printed.stream}: {scene.printed.text}"


def test_events_and_what_was_printed_come_in_the_order_in_which_they_came(client: Client) -> None:
    with pytest.raises(StepFailed):
        talking()
    scenes = list(client.run("talking-1").replay())
    assert [told(scene) for scene in scenes] == [
        "run.started",
        "step.started",
        "stdout: a one\n",
        "stdout: a two\n",
        "stderr: a aside\n",
        "step.completed",
        "step.started",
        "stdout: before the end\n",
        "step.failed",
        "run.failed",
    ]
    assert [scene.printed.step for scene in scenes if scene.printed] == ["talk"] * 3 + ["fail"]


def test_what_was_printed_and_is_gone_is_left_out(client: Client) -> None:
    with pytest.raises(StepFailed):
        talking()
    run = client.run("talking-1")
    logs = [recorded.event.log for recorded in run.events() if getattr(recorded.event, "log", None)]
    environment = client.store.environment
    with environment.begin(write=True) as txn:
        for log in logs:
            txn.delete(log, db=environment.databases["blobs"])
    assert {scene.printed for scene in run.replay()} == {None}
    assert len(list(run.replay())) == 6


def test_times_never_run_back_and_prints_stay_within_their_step(store_path: Path) -> None:
    """The clock steps back by an hour during the run, and a log claims more time than its step took."""
    moves_us = [0, 100, 250, -3_600_000_000, 400, 900]
    create_store(store_path, 0)
    clock = iter([1_900_000_000_000_000 + move for move in moves_us])
    store = Store(store_path, read_only=False, clock=lambda: next(clock))
    store._users = 1
    run, blob = RunId.new(), digest_of(b"x")
    frames = msgpack.packb([[10, "stdout", "a\n"], [10**9, "stdout", "b\n"]])
    with store.blobs.batch() as batch:
        batch.put(b"x")
        log = batch.put(frames)
        receipts = batch.publish()
    process = facts.Process("host", "boot", 1, 1)
    begun = (run, "s", "m.f", Fingerprint(blob))
    store.append([facts.RunStarted(run, "p", blob, (), None, process, blob)], receipts)
    store.append([facts.StepStarted(*begun, ())])
    store.append([facts.StepStarted(run, "t", *begun[2:], ())])
    ended = facts.StepCompleted(*begun, blob, (), (), 0, 5, log)
    store.append([ended])
    store.append([facts.StepCompleted(run, "t", *begun[2:], blob, (), (), 0, 5, None)])
    store.append([facts.RunCompleted(run)]).wait()
    scenes = list(History(store).run(run).replay())
    times_us = [round(scene.at_s * 1e6) for scene in scenes]
    assert list(map(told, scenes)) == [
        "run.started",
        "step.started",
        "stdout: a\n",
        "stdout: b\n",
        "step.started",
        "step.completed",
        "step.completed",
        "run.completed",
    ]
    assert times_us == sorted(times_us)
    assert times_us[-1] == 900
    store.close()
