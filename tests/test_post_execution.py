"""The classic walk after a run, as ZenML's documentation wrote it, in both of its flavours."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import pytest

from lineal import Client, pipeline, step
from lineal.errors import PipelineNotFound, RunNotFound, StepNotFound
from lineal.post_execution import get_pipeline, get_pipelines, get_run


@step
def load(size: int) -> Annotated[list, "rows"]:
    """Make rows."""
    return list(range(size))


@step
def train(rows: list, lr: float = 0.1) -> Annotated[dict, "model"]:
    """Fit."""
    return {"weight": sum(rows) * lr}


@pipeline
def training(size: int = 3, lr: float = 0.1) -> None:
    """Train on rows."""
    train(load(size), lr)


@pipeline
def another() -> None:
    load(1)


def test_the_walk_by_places(client: Client) -> None:
    training()
    training(lr=0.5)
    another()
    assert [one.name for one in get_pipelines()] == ["another", "training"]
    found = get_pipelines()[1]
    run = found.versions[0].runs[0]
    assert (run.name, run.status, run.docstring) == ("training-2", "completed", "Train on rows.")
    assert run == found.runs[0] == get_run("training-2")
    first, last = run.steps[0], run.steps[-1]
    assert (first.name, first.is_cached, last.is_cached, last.docstring) == ("load", True, False, "Fit.")
    assert (last.parameters, last.parent_steps) == ({"lr": 0.5}, [first])
    assert last.inputs["rows"].read() == first.output.read() == [0, 1, 2]
    assert last.outputs["model"].read() == {"weight": 1.5}


def test_the_walk_by_names(client: Client) -> None:
    training()
    for named in ("training", training):
        run = get_pipeline(named).runs[0]
        assert run.parameters == {"size": 3, "lr": 0.1}
        for found in (run.get_step("train"), run.get_step(step=train), run.get_step(name="train"), run.steps["train"]):
            assert found.output.read() == {"weight": pytest.approx(0.3)}
    version = get_pipeline(pipeline="training", version=1)
    assert [one.name for one in version.runs] == ["training-1"]
    assert get_pipeline("training", version="1").version == 1


def test_runs_are_read_as_far_as_they_are_used(client: Client) -> None:
    for size in range(5):
        training(size=size)
    runs = get_pipeline("training").runs
    assert [run.name for run in runs[:2]] == ["training-5", "training-4"]
    assert [run.name for run in islice(runs, 2)] == [run.name for run in runs[:2]]
    assert [run.name for run in runs[-2:]] == ["training-2", "training-1"]
    assert (len(runs), runs[-1].name, runs[4].name, bool(runs)) == (5, "training-1", "training-1", True)
    with pytest.raises(IndexError):
        runs[5]
    training(size=9)
    assert runs[0].name == "training-6"


def test_a_miss_says_what_is_near(client: Client) -> None:
    run = training()
    with pytest.raises(PipelineNotFound, match="Did you mean training"):
        get_pipeline("trainin")
    with pytest.raises(PipelineNotFound, match="1 to 1"):
        get_pipeline("training", version=2)
    with pytest.raises(RunNotFound, match="Did you mean training-1"):
        get_run("training-7")
    with pytest.raises(StepNotFound, match="Did you mean train"):
        run.get_step(name="trian")
    with pytest.raises(StepNotFound, match="Did you mean load"):
        run.steps["laod"]
    assert "laod" not in run.steps
    assert run.steps.get("laod") is None
