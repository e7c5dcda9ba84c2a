"""How often and how long a step is tried."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from lineal import Client, pipeline, step
from lineal.errors import InvalidPipeline, StepFailed, StepTimeout
from lineal.events.catalogue import StepRetried
from lineal.events.ids import RunId
from lineal.pipeline.declaring.attempts import Attempts

EXECUTORS = ["inline", "threads", "processes"]


def flaky(folder: Path, **options: Any) -> Any:
    """A pipeline whose step fails until its third attempt."""

    @step(version="1", **options)
    def unsure(where: str) -> int:
        tries = len(list(Path(where).iterdir())) + 1
        print("try", tries)
        (Path(where) / str(tries)).touch()
        if tries < 3:
            raise ConnectionError(f"lost {tries}")
        return tries

    @step(version="1")
    def steady() -> int:
        return 1

    @pipeline
    def trying(where: str) -> None:
        unsure(where)
        steady()

    folder.mkdir()
    return lambda executor: trying.with_options(executor=executor)(str(folder))


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_step_is_tried_again_until_it_succeeds(client: Client, tmp_path: Path, executor: str) -> None:
    run = flaky(tmp_path / "tries", retries=2, retry_delay_s=0.01)(executor)
    unsure = run.steps["unsure"]
    assert (unsure.status, unsure.output.load()) == ("completed", 3)
    assert [line.text for line in unsure.logs] == ["try 1", "try 2", "try 3"]
    retried = [one.event for one in client.events() if isinstance(one.event, StepRetried)]
    assert [(one.attempt, one.failure.message) for one in retried] == [(1, "lost 1"), (2, "lost 2")]
    assert [(one.number, one.status) for one in unsure.attempts] == [(1, "failed"), (2, "failed"), (3, "completed")]
    assert [one.log for one in unsure.attempts] == ["try 1\n", "try 2\n", "try 3\n"]


def test_after_the_last_retry_the_step_has_failed(client: Client, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="in attempt 2: lost 2"):
        flaky(tmp_path / "tries", retries=1)("inline")
    (run,) = client.runs()
    assert run.steps["unsure"].status == "failed"
    assert [one.status for one in run.steps["unsure"].attempts] == ["failed", "failed"]


def test_other_steps_go_on_while_one_waits_for_its_retry(client: Client, tmp_path: Path) -> None:
    run = flaky(tmp_path / "tries", retries=2, retry_delay_s=0.2)("inline")
    assert list(run.steps) == ["unsure", "steady"]
    unsure, steady = run.steps["unsure"], run.steps["steady"]
    assert steady.started < unsure.started


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_only_what_the_filters_let_through_is_tried_again(client: Client, tmp_path: Path, executor: str) -> None:
    options: list[dict[str, Any]] = [{"retry_on": (KeyError, OSError)}, {"retry_if": lambda e: "lost" in str(e)}]
    for number, option in enumerate(options):
        assert flaky(tmp_path / f"let{number}", retries=2, **option)(executor).status == "completed"
    options = [{"retry_on": KeyError}, {"retry_if": lambda error: False}]
    for number, option in enumerate(options):
        with pytest.raises(StepFailed, match="lost 1"):
            flaky(tmp_path / f"kept{number}", retries=2, **option)(executor)


def test_a_filter_that_raises_lets_nothing_through_and_what_the_step_raised_stays_its_failure(
    client: Client, tmp_path: Path
) -> None:
    with pytest.raises(StepFailed, match="lost 1") as caught:
        flaky(tmp_path / "tries", retries=2, retry_if=lambda error: error.no_such_attribute)("inline")
    assert "retry_if raised AttributeError" in caught.value.__cause__.__notes__[0]  # type: ignore[union-attr]
    (run,) = client.runs()
    assert (run.status, run.steps["unsure"].status) == ("failed", "failed")
    assert [attempt.status for attempt in run.steps["unsure"].attempts] == ["failed"]


def test_an_exception_that_can_not_be_carried_over_is_told_by_the_names_of_its_kinds(client: Client) -> None:
    @step(version="1", retries=1, retry_on=LookupError)
    def odd() -> None:
        class Odd(KeyError):
            def __init__(self, first: str, second: str) -> None:
                super().__init__(first)

        raise Odd("a", "b")

    @pipeline
    def odd_one() -> None:
        odd()

    with pytest.raises(StepFailed, match="in attempt 2"):
        odd_one.with_options(executor="processes")()


def test_how_a_step_is_tried_does_not_count_in_its_fingerprint(client: Client) -> None:
    @step
    def one() -> int:
        return 1

    @pipeline
    def single(again: bool) -> None:
        (one.with_options(retries=3, retry_delay_s=1.0, timeout_s=60.0, on_success=print) if again else one)()

    single(False)
    assert single(True).steps["one"].is_cached


def test_waits_grow_and_what_chance_takes_off_them_is_the_same_each_time() -> None:
    run, other = RunId.new(), RunId.new()
    plain = Attempts(retries=3, delay_s=2.0, backoff=3.0)
    assert [plain.delay_after_s(attempt, run, "s") for attempt in (1, 2, 3)] == [2.0, 6.0, 18.0]
    jittered = Attempts(retries=3, delay_s=2.0, jitter=0.5)
    waits = [jittered.delay_after_s(1, one, step) for one in (run, other) for step in ("s", "t")]
    assert waits == [jittered.delay_after_s(1, one, step) for one in (run, other) for step in ("s", "t")]
    assert len(set(waits)) == 4
    assert all(1.0 <= wait <= 2.0 for wait in waits)


@pytest.mark.parametrize(
    "options",
    [
        {"retries": -1},
        {"retry_delay_s": -1.0},
        {"retry_backoff": 0.5},
        {"retry_jitter": 2.0},
        {"retry_on": "KeyError"},
        {"timeout_s": 0.0},
        {"retires": 3},
    ],
)
def test_options_that_can_not_be_are_refused_where_they_are_said(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidPipeline):
        step(**options)(lambda: 1)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_step_that_takes_too_long_is_stopped_though_it_never_returns_to_python(client: Client, executor: str) -> None:
    @step(timeout_s=0.3, version="1")
    def stuck() -> None:
        print("before")
        re.match(r"(a+)+$", "a" * 64 + "b")

    @pipeline
    def sticking() -> None:
        stuck()

    begun = time.monotonic()
    with pytest.raises(StepFailed, match="took longer than") as caught:
        sticking.with_options(executor=executor)()
    assert time.monotonic() - begun < 30
    assert isinstance(caught.value.__cause__, StepTimeout)
    (run,) = client.runs()
    failed = run.steps["stuck"]
    assert failed.failure is not None
    assert failed.failure.type == "lineal.errors.StepTimeout"
    assert failed.log == "before\n"
    assert failed.duration_s is not None
    assert failed.duration_s >= 0.3


def test_what_timed_out_can_be_tried_again(client: Client, tmp_path: Path) -> None:
    @step(timeout_s=0.5, retries=1, version="1")
    def slow_at_first(mark: str) -> str:
        if not Path(mark).exists():
            Path(mark).touch()
            time.sleep(600)
        return "done"

    @pipeline
    def patient() -> None:
        slow_at_first(str(tmp_path / "mark"))

    run = patient()
    assert run.steps["slow_at_first"].output.load() == "done"
    assert [one.status for one in run.steps["slow_at_first"].attempts] == ["failed", "completed"]


def test_a_worker_that_dies_can_be_tried_again_and_what_it_printed_is_kept(client: Client, tmp_path: Path) -> None:
    @step(retries=1, version="1")
    def dies_once(mark: str) -> str:
        import os
        import signal

        if not Path(mark).exists():
            Path(mark).touch()
            print("last words", end="\n")
            os.kill(os.getpid(), signal.SIGSEGV)
        return "lives"

    @pipeline
    def mortal() -> None:
        dies_once(str(tmp_path / "mark"))

    first, second = mortal.with_options(executor=("processes", 1))().steps["dies_once"].attempts
    assert first.failure is not None
    assert (first.failure.type, first.log) == ("lineal.errors.WorkerDied", "last words\n")
    assert "SIGSEGV" in first.failure.message
    assert second.status == "completed"
