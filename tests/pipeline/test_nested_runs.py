"""Pipelines that a step begins in a worker process: the process of the step's run commits what they come to."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from joblib.externals.loky import get_reusable_executor

from lineal import Client
from lineal.errors import StepFailed

FLOW = """
import os
import sys
import time
from pathlib import Path

import lineal
from lineal import pipeline, step
from lineal.cas import digest_of
from lineal.cas.environment import Environment
from lineal.errors import LinealError
from lineal.events.catalogue import ArtifactSaved, Output, RunRenewed
from lineal.events.ids import EventId

@step
def leaf(x: int) -> int:
    lineal.log_metric("seen", x)
    lineal.save([x], "by-hand")
    return x + 1

@pipeline
def inner(x: int) -> None:
    leaf(x)

@step(version="1")
def outer(x: int) -> list:
    begun, begin = [], Environment.begin

    def noted(*args, write=False, **kwargs):
        begun.extend(["write"] * write)
        return begin(*args, write=write, **kwargs)

    Environment.begin = noted
    try:
        run = inner(x)
        with lineal.open(os.environ["SUBMITTED_TO"]) as store:
            store.tag("by-hand", "seen")
        return [os.getpid(), run.steps["leaf"].output.load(), len(inner.sweep(x=[x, x + 10])), begun]
    finally:
        Environment.begin = begin

@pipeline
def enclosing():
    for number in range(3):
        outer.with_options(name=f"outer-{number}")(number)

@step
def saver(x: int) -> int:
    lineal.save([x], "saved-below")
    return x + 1

@pipeline
def saving(x: int) -> None:
    saver(x)

@step(cache=False)
def above(x: int) -> list[int]:
    run = saving.with_options(executor=("processes", 1))(x)
    return [os.getpid(), run.steps["saver"].output.load()]

@pipeline
def stacked() -> None:
    for x in range(2):
        above.with_options(name=f"above-{x}")(x)

@step(cache=False)
def endless(folder: str) -> int:
    print("begun")
    Path(folder, "begun").touch()
    while True:
        time.sleep(0.01)

@pipeline
def never_ending(folder: str) -> None:
    endless(folder)

@step(timeout_s=3)
def impatient(folder: str) -> int:
    return len(never_ending(folder).steps)

@pipeline
def hasty(folder: str):
    impatient(folder)

@step
def submitting() -> list[str]:
    store = lineal.open(os.environ["SUBMITTED_TO"]).store
    gone = digest_of(b"nowhere")
    said = RunRenewed(lineal.context().run_id, time.time_ns() // 1000 + 60_000_000)
    first = store.append([ArtifactSaved(Output("given", "given", gone, "f", "t", 1, {}), None)])
    second = store.append([said], after=[first])
    third = store.append([said])
    fourth = store.append([said], ids=[EventId.new()], expected={said.stream: 0})
    told = []
    for ticket in (first, second, third, fourth):
        try:
            ticket.wait()
        except LinealError as error:
            told.append(type(error).__name__)
        else:
            told.append("committed")
    return told

@pipeline
def submitted():
    submitting()
"""


@pytest.fixture
def flow(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The pipelines, where workers find them, too."""
    (tmp_path / "nested_flow.py").write_text(FLOW)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "nested_flow", raising=False)
    monkeypatch.setenv("SUBMITTED_TO", str(client.path))
    return import_module("nested_flow")


def forked() -> Any:
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork"))


def spawned() -> Any:
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


def loky() -> Any:
    return get_reusable_executor(max_workers=2)


@pytest.fixture(params=[lambda: ("processes", 2), forked, spawned, loky], ids=["ours", "forked", "spawned", "loky"])
def executor(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Executors whose calls are made in other processes."""
    made = request.param()
    yield made
    if isinstance(made, Executor):
        made.shutdown()


def test_a_pipeline_begun_in_a_worker_is_committed_by_the_process_of_the_steps_run(
    client: Client, flow: Any, executor: Any
) -> None:
    run = flow.enclosing.with_options(executor=executor)()
    found = [run.steps[f"outer-{number}"].output.load() for number in range(3)]
    assert [one[1:] for one in found] == [[number + 1, 2, []] for number in range(3)]
    assert os.getpid() not in {one[0] for one in found}
    nested = [one for one in client.runs() if one.pipeline.name == "inner"]
    assert [one.status for one in nested] == ["completed"] * 9
    executed = [one.steps["leaf"] for one in nested if one.steps["leaf"].status == "completed"]
    assert sorted(one.metrics["seen"].value for one in executed) == [0, 1, 2, 10, 11, 12]
    assert sorted(client.load(f"by-hand@{number}")[0] for number in range(1, 7)) == [0, 1, 2, 10, 11, 12]
    assert client.verify().is_sound


def test_workers_of_a_worker_submit_to_the_store_in_each_call_that_it_is_given(client: Client, flow: Any) -> None:
    run = flow.stacked.with_options(executor=("processes", 1))()
    found = [run.steps[f"above-{x}"].output.load() for x in range(2)]
    assert found == [[found[0][0], 1], [found[0][0], 2]]
    assert sorted(client.load(f"saved-below@{number}")[0] for number in (1, 2)) == [0, 1]


def test_a_run_begun_in_a_step_that_takes_too_long_reads_cancelled_and_keeps_what_it_printed(
    client: Client, flow: Any, tmp_path: Path
) -> None:
    with pytest.raises(StepFailed, match="longer than 3 s"):
        flow.hasty(str(tmp_path))
    assert (tmp_path / "begun").exists()
    nested, run = client.runs()
    assert (run.status, nested.status) == ("failed", "cancelled")
    assert (nested.steps["endless"].status, nested.steps["endless"].log) == ("cancelled", "begun\n")


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_what_a_worker_submits_is_refused_as_it_is_in_the_process_of_the_run(
    client: Client, flow: Any, executor: Any
) -> None:
    run = flow.submitted.with_options(executor=executor, steps={"submitting": {"cache": "off"}})()
    told = run.steps["submitting"].output.load()
    assert told == ["BlobMissing", "BlobMissing", "committed", "StreamMoved"]
