"""Sweeps: one pipeline for many sets of parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import IN_MEMORY

import lineal
from lineal import Client, pipeline, step
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


@pytest.mark.parametrize(
    ("sets", "axes", "says"),
    [
        (None, {"lr": []}, "no value for 'lr'"),
        ([{"lr": 0.1}], {"lr": [0.2]}, "'lr' twice"),
        (None, {"learning_rate": [0.1]}, "unexpected keyword argument 'learning_rate'"),
    ],
)
def test_parameters_that_fit_no_run_are_refused(client: Client, sets: object, axes: dict, says: str) -> None:
    with pytest.raises(InvalidPipeline, match=says):
        training.sweep(sets, **axes)
    assert list(client.runs()) == []


@settings(max_examples=25)
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
