"""What is told of a run while it goes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import lineal
from lineal import Client, pipeline, step
from lineal.errors import InvalidPipeline, StepFailed
from lineal.pipeline.running import progress
from lineal.pipeline.running.progress import Beginning


class Heard:
    """Everything that was told of runs, in order."""

    def __init__(self) -> None:
        self.beginnings: list[Beginning] = []
        self.told: list[tuple[Any, ...]] = []

    def show(self, beginning: Beginning) -> Heard:
        """Hear of a run."""
        self.beginnings.append(beginning)
        return self

    def step(self, name: str, status: str, duration_s: float | None) -> None:
        """Hear of a step."""
        assert duration_s is None or duration_s >= 0
        self.told.append((name, status))

    def progress(self, name: str, done: float, total: float | None, note: str) -> None:
        """Hear how far it is."""
        self.told.append((name, done, total, note))

    def ended(self, status: str) -> None:
        """Hear of the end."""
        self.told.append((status,))


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """What is told inside the test."""
    found = Heard()
    monkeypatch.setattr(progress, "_show", found.show)
    return found


@step
def count(upto: int) -> int:
    """Say how far it is."""
    for number in range(upto):
        lineal.context().progress(number + 1, upto, "counted")
    return upto


@step
def refuse(upto: int) -> int:
    """Fail."""
    raise ValueError(upto)


@pipeline
def counting(upto: int, fails: bool = False) -> None:
    """Count, and perhaps fail."""
    counted = count(upto)
    if fails:
        count(refuse(counted))


def test_of_each_step_it_is_told_when_it_runs_how_far_it_is_and_how_it_ended(client: Client, heard: Heard) -> None:
    run = counting.with_options(run_name="mine")(2)
    (beginning,) = heard.beginnings
    assert beginning == Beginning("counting", str(run.id), "mine", 1, prints_here=True, mode=None)
    assert heard.told == [
        ("count", "running"),
        ("count", 1, 2, "counted"),
        ("count", 2, 2, "counted"),
        ("count", "completed"),
        ("completed",),
    ]


def test_reused_failed_and_skipped_steps_are_told(client: Client, heard: Heard) -> None:
    counting(1)
    heard.told.clear()
    with pytest.raises(StepFailed):
        counting(1, fails=True)
    assert heard.told == [
        ("count", "cached"),
        ("refuse", "running"),
        ("refuse", "failed"),
        ("count_2", "skipped"),
        ("failed",),
    ]


def test_the_mode_holds_inside_the_block(client: Client, heard: Heard) -> None:
    with lineal.reporting("plain"), lineal.reporting("none"):
        counting(1)
    with lineal.reporting("live"):
        counting(1)
    counting(1)
    assert [beginning.mode for beginning in heard.beginnings] == ["none", "live", None]
    with pytest.raises(InvalidPipeline, match="can't be shown 'loud'"), lineal.reporting("loud"):  # type: ignore[arg-type]
        pass


def test_a_function_still_hears_of_bytes(client: Client) -> None:
    stages: list[str] = []
    with lineal.reporting(lambda one: stages.append(one.stage)):
        client.save(bytes(64 * 1024 * 1024), "large")
        client.flush()
    assert "saving" in stages


@pytest.mark.parametrize("timeout_s", [None, 60.0])
@pytest.mark.parametrize("executor", ["processes", "inline"])
def test_of_a_step_in_another_process_it_is_told_how_far_it_is_while_it_runs(
    client: Client, heard: Heard, tmp_path: Path, executor: Any, timeout_s: float | None
) -> None:
    awaited = tmp_path / "heard"
    real = heard.progress

    def progress(name: str, done: float, total: float | None, note: str) -> None:
        real(name, done, total, note)
        awaited.touch()

    heard.progress = progress  # type: ignore[method-assign]

    @step(version="1", timeout_s=timeout_s)
    def told_by(awaited: str) -> None:
        for done in range(1000):
            lineal.context().progress(done / 1000, 2, "half")
        while not Path(awaited).exists():
            time.sleep(0.001)

    @pipeline
    def telling() -> None:
        told_by(str(awaited))

    telling.with_options(executor=executor)()
    assert ("told_by", 0.0, 2.0, "half") in heard.told
    if timeout_s is not None or executor == "processes":
        assert len(heard.told) < 100


@pytest.mark.parametrize("executor", ["inline", "threads"])
def test_a_sweep_is_told_as_one_thing_of_which_runs_are_the_parts(client: Client, heard: Heard, executor: Any) -> None:
    sweeping = counting.with_options(executor=executor)
    sweeping.sweep(upto=[1, 2], fails=[False, True], failure="continue")
    (beginning,) = heard.beginnings
    assert (beginning.name, beginning.parts, beginning.steps) == ("sweep of counting", "runs", 4)
    told = [told[1:] for told in heard.told if told[0] == "upto=1, fails=False"]
    counted = [(0, 1, "count")] if executor == "inline" else told[1:-2]  # Else it may be served from another run.
    assert told == [("running",), *counted, (1, 1, ""), ("completed",)]
    ended = [told for told in heard.told if told[1:] in (("completed",), ("failed",))]
    assert sorted(ended) == [
        ("upto=1, fails=False", "completed"),
        ("upto=1, fails=True", "failed"),
        ("upto=2, fails=False", "completed"),
        ("upto=2, fails=True", "failed"),
    ]
    assert heard.told[-1] == ("completed",)
    counting(3)
    assert heard.beginnings[1].parts == "steps"


def test_how_many_runs_a_sweep_has_is_known_where_it_can_be_counted(client: Client, heard: Heard) -> None:
    counting.sweep([{"upto": 1}, {"upto": 2}], fails=(False,))
    counting.sweep({"upto": number} for number in range(2))
    counting.sweep(upto=1)
    assert [beginning.steps for beginning in heard.beginnings] == [2, 0, 1]
