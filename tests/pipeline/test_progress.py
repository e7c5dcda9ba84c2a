"""What is told of a run while it goes."""

from __future__ import annotations

from typing import Any

import pytest

import lineal
from lineal import Client, pipeline, step
from lineal.errors import InvalidPipeline, StepFailed
from lineal.pipeline import progress
from lineal.pipeline.progress import Beginning


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
