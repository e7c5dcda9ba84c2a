"""Hooks: when they are called, with what, and what comes of those that raise."""

from __future__ import annotations

from typing import Any

import pytest

from lineal import Client, pipeline, step
from lineal.errors import InvalidPipeline, StepFailed
from lineal.events.projections import Steps
from lineal.events.rows import key
from lineal.history import RunView, StepRunView
from lineal.pipeline.executing.hooks import HookFailedWarning


@step(version="1")
def one() -> int:
    return 1


@step(version="1")
def bad() -> int:
    raise ValueError("no")


def told() -> tuple[list[str], dict[str, Any]]:
    """A list, and hooks that write into it."""
    heard: list[str] = []
    return heard, {
        "on_start": lambda view: heard.append(f"start of {view.name}: {view.status}"),
        "on_end": lambda view: heard.append(f"end of {view.name}: {view.status}"),
        "on_success": lambda view: heard.append(f"success of {view.name}: {view.status}"),
        "on_failure": lambda view: heard.append(f"failure of {view.name}: {view.status}"),
    }


@pytest.mark.parametrize("executor", ["inline", "threads"])
def test_hooks_are_called_with_what_has_ended(client: Client, executor: Any) -> None:
    heard, hooks = told()

    @pipeline(executor=executor, **hooks)
    def single(fails: bool) -> None:
        (bad if fails else one).with_options(**hooks)()

    single(False)
    with pytest.raises(StepFailed):
        single(True)
    assert heard == [
        "start of single-1: running",
        "start of one: running",
        "success of one: completed",
        "end of one: completed",
        "success of single-1: completed",
        "end of single-1: completed",
        "start of single-2: running",
        "start of bad: running",
        "failure of bad: failed",
        "end of bad: failed",
        "failure of single-2: failed",
        "end of single-2: failed",
    ]


def test_what_a_hook_reports_is_durable(client: Client) -> None:
    committed = client.store.committed_rows(Steps.name)
    seen: list[Any] = []

    def look(view: StepRunView) -> None:
        found = committed.latest(key("s", view.id.run, view.id.step))
        seen.append(None if found is None else found.row[1])

    @pipeline
    def single() -> None:
        one.with_options(on_success=look)()

    single()
    assert seen == ["completed"]


def test_a_step_served_from_the_cache_calls_no_hook_and_a_retried_one_calls_one(client: Client) -> None:
    heard, hooks = told()

    @pipeline
    def pair() -> None:
        one.with_options(**hooks)()
        bad.with_options(retries=2, **hooks)()

    @pipeline
    def before() -> None:
        one()

    before()
    with pytest.raises(StepFailed):
        pair()
    assert heard == ["start of bad: running", "failure of bad: failed", "end of bad: failed"]


def test_a_hook_that_raises_is_warned_of_and_noted_and_fails_nothing(client: Client) -> None:
    def boom(view: object) -> None:
        raise RuntimeError("the pager is broken")

    @pipeline(on_success=boom)
    def single() -> None:
        one.with_options(on_success=boom)()

    with pytest.warns(HookFailedWarning, match="the pager is broken"):
        run: RunView = single()
    assert run.status == "completed"
    assert run.annotations == {"on_success raised": "RuntimeError: the pager is broken"}
    assert run.steps["one"].annotations == {"on_success raised": "RuntimeError: the pager is broken"}


def test_what_can_not_be_called_is_no_hook() -> None:
    with pytest.raises(InvalidPipeline, match="on_failure is 'continue'"):
        pipeline(on_failure="continue")(lambda: None)  # type: ignore[call-overload]
