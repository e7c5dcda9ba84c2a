"""What the failure of one step means for the others."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lineal import Client, pipeline, step
from lineal.errors import InvalidPipeline, StepFailed, StepsFailed


@step(version="1")
def bad(x: int) -> int:
    raise ValueError(f"no {x}")


@step(version="1")
def plus(x: int) -> int:
    return x + 1


@pipeline
def branching() -> None:
    plus(plus(bad(1)))
    bad.with_options(name="worse")(plus(5))


def statuses(client: Client) -> dict[str, str]:
    run = next(client.runs())
    return {name: found.status for name, found in run.steps.items()}


@pytest.mark.parametrize("executor", ["inline", "threads"])
def test_all_that_does_not_depend_on_a_failed_step_runs(client: Client, executor: Any) -> None:
    with pytest.raises(StepsFailed, match="2 steps failed; the first: step 'bad' raised ValueError: no 1") as caught:
        branching.with_options(executor=executor, failure="continue")()
    assert statuses(client) == {
        "bad": "failed",
        "plus": "skipped",
        "plus_2": "skipped",
        "plus_3": "completed",
        "worse": "failed",
    }
    assert [failure.details["step"] for failure in caught.value.failures] == ["bad", "worse"]
    assert isinstance(caught.value.__cause__, ExceptionGroup)
    assert isinstance(caught.value, StepFailed)
    (run,) = client.runs()
    assert run.status == "failed"
    skipped = [one.event.because for one in run.events() if one.event.TYPE.startswith("step.skipped")]  # type: ignore[attr-defined]
    assert skipped == ["step 'bad' raised ValueError: no 1"] * 2


def test_what_does_not_begin_after_a_failure_says_because_of_whom(client: Client) -> None:
    with pytest.raises(StepFailed, match="no 1"):
        branching()
    assert set(statuses(client).values()) == {"failed", "skipped"}


def test_a_run_that_goes_on_raises_a_single_failure_as_it_is(client: Client) -> None:
    @pipeline(failure="continue")
    def lone() -> None:
        bad(1)
        plus(1)

    with pytest.raises(StepFailed, match="step 'bad' raised") as caught:
        lone()
    assert type(caught.value) is StepFailed
    assert statuses(client) == {"bad": "failed", "plus": "completed"}


def test_an_unknown_failure_policy_is_refused() -> None:
    with pytest.raises(InvalidPipeline, match="'stop' or 'continue'"):
        branching.with_options(failure="ignore")  # type: ignore[arg-type]


def test_what_executes_when_a_step_fails_ends_and_is_recorded(client: Client) -> None:
    @step(version="1")
    def fails() -> int:
        raise ValueError("at once")

    @step(version="1")
    def lasts() -> int:
        import time

        time.sleep(0.3)
        return 1

    @pipeline
    def side_by_side() -> None:
        lasts()
        fails()
        plus(lasts.with_options(name="after")())

    with pytest.raises(StepFailed, match="at once"):
        side_by_side.with_options(executor=("threads", 2))()
    assert statuses(client) == {"lasts": "completed", "fails": "failed", "after": "skipped", "plus": "skipped"}


def test_a_retry_that_a_failure_elsewhere_forestalls_has_failed(client: Client) -> None:
    @step(version="1")
    def fails_later() -> int:
        time.sleep(0.1)
        raise ValueError("later")

    @pipeline
    def two() -> None:
        bad.with_options(retries=5, retry_delay_s=600)(1)
        fails_later()

    with pytest.raises(StepFailed, match="later"):
        two()
    assert statuses(client) == {"bad": "failed", "fails_later": "failed"}
