"""Sweeps: one pipeline for many sets of parameters."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import IN_MEMORY

import lineal
from lineal import Client, Pipeline, pipeline, step
from lineal.errors import InvalidPipeline, StepFailed
from lineal.events.catalogue import StepCompleted, StepReused

calls: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def _forget_calls() -> None:
    calls.clear()


@step(version="1")
def load(seed: int) -> int:
    calls["load"] += 1
    return seed


@step(version="1")
def fit(data: int, lr: float) -> float:
    calls["fit"] += 1
    if lr < 0:
        raise ValueError("negative")
    return data * lr


@step(version="1")
def score(model: float, depth: int) -> float:
    calls["score"] += 1
    return model + depth


@pipeline
def training(lr: float = 0.1, depth: int = 1, seed: int = 7) -> None:
    score(fit(load(seed), lr), depth)


def test_a_sweep_runs_each_combination_of_its_axes_and_the_last_one_turns_fastest(client: Client) -> None:
    sweep = training.sweep(lr=[0.5, 2.0], depth=(1, 2), seed=3)
    wanted = [{"lr": lr, "depth": depth, "seed": 3} for lr in (0.5, 2.0) for depth in (1, 2)]
    assert [trial.parameters for trial in sweep] == wanted
    assert [run.parameters for run in sweep.runs] == wanted
    assert [run.steps["score"].output.load() for run in sweep.runs] == [2.5, 3.5, 7.0, 8.0]
    assert [run.status for run in sweep.runs] == ["completed"] * 4
    assert [run.id for run in client.runs()] == [run.id for run in reversed(sweep.runs)]
    assert (len(sweep), len(sweep[1:]), sweep.failed) == (4, 3, [])


def test_what_runs_of_a_sweep_share_is_executed_once(client: Client) -> None:
    training.sweep(lr=[0.1, 0.2], depth=[1, 2, 3])
    assert calls == {"load": 1, "fit": 2, "score": 6}
    training.sweep(lr=[0.1, 0.2], depth=range(1, 4))
    assert calls == {"load": 1, "fit": 2, "score": 6}


def test_a_sweep_takes_any_iterable_of_parameter_sets_and_axes_beside_them(client: Client) -> None:
    def sets() -> Iterator[dict[str, float]]:
        yield {"lr": 0.1}
        yield {"lr": 0.2}

    sweep = training.sweep(sets(), depth=[1, 2])
    assert [trial.parameters for trial in sweep] == [{"lr": lr, "depth": d} for lr in (0.1, 0.2) for d in (1, 2)]
    assert len(training.sweep([])) == 0


def test_no_fact_of_a_reuse_stands_before_that_of_the_execution_it_was_served_with(client: Client) -> None:
    training.sweep(lr=[0.1, 0.2], depth=[1, 2, 3])
    executed = set()
    reused = 0
    for recorded in client.events():
        if isinstance(recorded.event, StepCompleted):
            executed.add((recorded.event.run, recorded.event.step))
        elif isinstance(recorded.event, StepReused):
            reused += 1
            assert tuple(recorded.event.reuses) in executed
    assert reused == 9


def test_a_run_that_fails_ends_the_sweep_and_the_runs_before_it_are_recorded(client: Client) -> None:
    with pytest.raises(StepFailed, match="negative"):
        training.sweep(lr=[0.1, -1.0, 0.2])
    assert [run.status for run in client.runs()] == ["failed", "completed"]


def test_a_sweep_that_goes_on_after_failures_tells_of_them(client: Client) -> None:
    sweep = training.sweep(lr=[0.1, -1.0, 0.2], failure="continue")
    assert [run.status for run in sweep.runs] == ["completed", "failed", "completed"]
    (failed,) = sweep.failed
    assert failed is sweep[1]
    assert isinstance(failed.error, StepFailed)
    assert repr(sweep) == "<Sweep of 3 runs, 1 failed>"


def slow_pipeline() -> Pipeline[Any, Any]:
    """Steps that go to other processes by value, as no process can import this module by its name."""

    @step(version="1")
    def slow(seed: int, folder: str) -> int:
        Path(folder, f"begun-{seed}-{time.monotonic_ns()}").touch()
        time.sleep(0.05)
        return seed

    @step(version="1")
    def finish(data: int, lr: float) -> float:
        if lr < 0:
            raise ValueError("negative")
        return data * lr

    @pipeline
    def slow_training(lr: float, folder: str, seed: int = 7) -> None:
        finish(slow(seed, folder), lr)

    return slow_training


@pytest.mark.parametrize("executor", [("threads", 2), ("processes", 2)])
def test_runs_that_go_on_at_once_share_what_they_compute_and_come_back_in_order(
    client: Client, tmp_path: Path, executor: Any
) -> None:
    rates = [number / 10 for number in range(12)]
    sweep = slow_pipeline().with_options(executor=executor).sweep(lr=rates, folder=str(tmp_path), seed=[1, 2])
    assert [trial.parameters["lr"] for trial in sweep] == [rate for rate in rates for _ in (1, 2)]
    assert [run.steps["finish"].output.load() for run in sweep.runs] == [r * seed for r in rates for seed in (1, 2)]
    assert len(list(tmp_path.glob("begun-1-*"))) == len(list(tmp_path.glob("begun-2-*"))) == 1
    assert {run.status for run in client.runs()} == {"completed"}


def test_a_failure_ends_a_sweep_of_runs_that_go_on_at_once(client: Client, tmp_path: Path) -> None:
    swept = slow_pipeline().with_options(executor=("threads", 2))
    with pytest.raises(StepFailed, match="negative"):
        swept.sweep(lr=[-1.0, *range(50)], folder=str(tmp_path), seed=list(range(50)))
    statuses = Counter(run.status for run in client.runs())
    assert statuses["failed"] >= 1
    assert sum(statuses.values()) < 100
    assert statuses.keys() <= {"failed", "cancelled", "completed"}
    told = swept.sweep(lr=[-1.0, 0.5], folder=str(tmp_path), failure="continue")
    assert [run.status for run in told.runs] == ["failed", "completed"]


def test_ctrl_c_ends_a_sweep_and_every_run_of_it_has_an_end(client: Client, tmp_path: Path) -> None:
    def interrupt() -> None:
        while not list(tmp_path.glob("begun-*")):
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        slow_pipeline().with_options(executor=("threads", 2)).sweep(
            lr=0.5, folder=str(tmp_path), seed=list(range(1000))
        )
    thread.join()
    statuses = Counter(run.status for run in client.runs())
    assert statuses["cancelled"] >= 1
    assert statuses.keys() <= {"cancelled", "completed"}


@pytest.mark.parametrize(
    ("sets", "axes", "says"),
    [
        (None, {"lr": []}, "no value for 'lr'"),
        ([{"lr": 0.1}], {"lr": [0.2]}, "'lr' twice"),
        ([0.1], {}, "a float where a set of parameters is to be"),
        (None, {"learning_rate": [0.1]}, "unexpected keyword argument 'learning_rate'"),
    ],
)
def test_parameters_that_fit_no_run_are_refused(client: Client, sets: object, axes: dict, says: str) -> None:
    with pytest.raises(InvalidPipeline, match=says):
        training.sweep(sets, **axes)
    assert list(client.runs()) == []


@settings(max_examples=examples(25))
@given(st.lists(st.tuples(st.sampled_from([0.0, -0.0, 0.5, 1.0]), st.integers(0, 2)), max_size=6))
def test_a_sweep_gives_what_its_runs_give_one_by_one(pairs: list[tuple[float, int]]) -> None:
    def outputs(is_swept: bool) -> list[dict[str, object]]:
        with TemporaryDirectory(dir=IN_MEMORY) as folder, lineal.open(Path(folder, "store")):
            sets = [{"lr": lr, "depth": depth} for lr, depth in pairs]
            runs = training.sweep(sets).runs if is_swept else [training(**one) for one in sets]
            return [
                {step.name: (step.status, step.output.content, step.fingerprint) for step in run.steps.values()}
                for run in runs
            ]

    assert outputs(is_swept=True) == outputs(is_swept=False)
