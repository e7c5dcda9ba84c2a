"""What goes wrong while a run is under way, and what is recorded of it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import lineal
from lineal import Client, pipeline, step
from lineal.errors import BlobMissing, InvalidReference, LinealError, StepFailed
from lineal.events.catalogue import StepCompleted


@step
def one() -> int:
    return 1


@step
def plus(x: int) -> int:
    return x + 1


def failing(raised: BaseException) -> Any:
    """A pipeline whose only step raises this."""

    @step
    def fail() -> None:
        raise raised

    @pipeline
    def failing_pipeline() -> None:
        fail.with_options(version=type(raised).__name__)()

    return failing_pipeline


class Speechless(Exception):
    """Can't even be asked for its text."""

    def __str__(self) -> str:
        raise self


@pytest.mark.parametrize("executor", ["inline", "threads"])
def test_a_failure_is_shown_with_the_frames_of_its_step_and_of_its_caller_alone(client: Client, executor: Any) -> None:
    with pytest.raises(StepFailed) as caught:
        failing(KeyError("gone")).with_options(executor=executor)()
    said = "".join(traceback.format_exception(caught.value))
    assert "Hint: See its traceback and output with `lineal show failing_pipeline-1/fail`." in said
    ours = [line for line in said.splitlines() if line.startswith("  File") and "/tests/" not in line]
    assert all("pipeline/pipeline.py" in line for line in ours), said
    assert "raise raised" in said


def test_an_exception_that_raises_when_asked_for_its_text_is_recorded_all_the_same(client: Client) -> None:
    with pytest.raises(StepFailed, match="Speechless without a text"):
        failing(Speechless())()
    (run,) = client.runs()
    assert (run.status, run.steps["fail"].status) == ("failed", "failed")


@pytest.mark.parametrize("executor", ["inline", "threads", "processes"])
def test_what_is_no_exception_but_no_interrupt_either_fails_the_step_alone(client: Client, executor: str) -> None:
    @step(version="1")
    def cancel(x: int) -> int:
        import asyncio

        raise asyncio.CancelledError(x)

    @step(version="1")
    def beside() -> int:
        return 1

    @pipeline(failure="continue", executor=executor)
    def cancelling() -> None:
        cancel(7)
        beside()

    with pytest.raises(StepFailed, match="CancelledError: 7"):
        cancelling()
    (run,) = client.runs()
    assert {name: found.status for name, found in run.steps.items()} == {"cancel": "failed", "beside": "completed"}


def test_an_error_of_ours_that_the_step_raised_is_the_steps_failure_and_is_left_as_it_was(client: Client) -> None:
    raised = InvalidReference("mine")
    with pytest.raises(StepFailed) as caught:
        failing(raised)()
    assert caught.value.__cause__ is raised
    assert raised.details == {}


def test_a_pipeline_that_fails_inside_a_step_fails_that_step(client: Client) -> None:
    @step
    def outer() -> None:
        failing(ValueError("inner"))()

    @pipeline
    def nesting() -> None:
        outer.with_options(version="1")()

    with pytest.raises(StepFailed, match="step 'outer'"):
        nesting()
    failed = {run.pipeline.name: run for run in client.runs()}
    assert {name: run.status for name, run in failed.items()} == {"nesting": "failed", "failing_pipeline": "failed"}
    assert list(failed["nesting"].steps) == ["outer"]


def test_a_fact_does_not_stand_whose_producers_facts_were_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_check = type(client.store.blobs).check

    def refusing(blobs: Any, changes: Any, receipts: Any, refs: Any) -> None:
        if refused and any(receipt.digest in refused for receipt in receipts):
            raise BlobMissing("refused for the test")
        real_check(blobs, changes, receipts, refs)

    refused = {client.save(1, "wanted").content}
    client.flush()

    @pipeline
    def chain() -> None:
        plus(one())

    monkeypatch.setattr(type(client.store.blobs), "check", refusing)
    with pytest.raises(BlobMissing, match="refused"):
        chain()
    monkeypatch.undo()
    assert [recorded for recorded in client.events() if isinstance(recorded.event, StepCompleted)] == []
    client.flush()
    assert chain().status == "completed"


def test_a_failure_that_was_raised_is_not_raised_again_by_the_next_flush(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(blobs: Any, changes: Any, receipts: Any, refs: Any) -> None:
        raise BlobMissing("refused for the test")

    @pipeline
    def single() -> None:
        one()

    monkeypatch.setattr(type(client.store.blobs), "check", refusing)
    with pytest.raises(BlobMissing):
        single()
    monkeypatch.undo()
    client.flush()
    assert single().status == "completed"


def test_after_a_failure_what_has_not_begun_is_skipped_not_executed(client: Client) -> None:
    executed: list[int] = []

    @step(version="1")
    def work(number: int) -> int:
        if number == 0:
            raise ValueError("at once")
        time.sleep(0.05)
        executed.append(number)
        return number

    @pipeline
    def wide() -> None:
        for number in range(60):
            work(number)

    with ThreadPoolExecutor(1) as pool, pytest.raises(StepFailed, match="at once"):
        wide.with_options(executor=pool)()
    assert len(executed) <= 3
    (run,) = client.runs()
    statuses = [view.status for view in run.steps.values()]
    assert statuses.count("failed") == 1
    assert statuses.count("skipped") >= 55


def test_the_store_in_force_reaches_steps_on_the_threads_of_a_pool(client: Client, tmp_path: Path) -> None:
    @step(version="1")
    def save_inside() -> str:
        lineal.save([1, 2], "inside")
        return threading.current_thread().name

    @pipeline
    def saving() -> None:
        save_inside()

    with ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:
        run = saving.with_options(executor=pool)()
    assert run.steps["save_inside"].output.load().startswith("pool")
    assert client.load("inside") == [1, 2]
    assert not (tmp_path / ".lineal").exists()


def script(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run a user's program in a folder."""
    (folder / "main.py").write_text(textwrap.dedent(text))
    return subprocess.run([sys.executable, "main.py"], cwd=folder, capture_output=True, text=True, timeout=120)


def test_a_worker_that_dies_is_a_failure_of_its_step(tmp_path: Path) -> None:
    done = script(
        tmp_path,
        """
        import os, lineal
        from lineal import pipeline, step

        @step
        def die() -> int:
            os._exit(3)

        @pipeline
        def dying():
            die()

        if __name__ == "__main__":
            with lineal.open("store") as store:
                try:
                    dying.with_options(executor="processes")()
                except lineal.LinealError as error:
                    print(type(error).__name__)
                run = next(store.runs())
                print(run.status, run.steps["die"].status, run.steps["die"].failure.type.rpartition(".")[2])
        """,
    )
    assert done.stdout.splitlines() == ["StepFailed", "failed failed WorkerDied"], done.stderr


def test_steps_of_imported_modules_execute_in_other_processes(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("def add(x):\n    return x + 40\n")
    (tmp_path / "steps.py").write_text(
        "import helper\nfrom lineal import step\n\n"
        "@step\ndef inner(x: int) -> int:\n    return helper.add(x)\n\n"
        "@step\ndef f(x: int) -> int:\n    return inner(x) + 1\n"
    )
    done = script(
        tmp_path,
        """
        import lineal, steps
        from lineal import pipeline

        @pipeline
        def run_it():
            steps.f(steps.inner(1))

        if __name__ == "__main__":
            with lineal.open("store"):
                for _ in range(2):
                    run = run_it.with_options(executor="processes")()
                    print([view.status for view in run.steps.values()], run.steps["f"].output.load())
                print([view.status for view in run_it().steps.values()])
        """,
    )
    assert done.stdout.splitlines() == [
        "['completed', 'completed'] 82",
        "['cached', 'cached'] 82",
        "['cached', 'cached']",
    ], done.stderr


def test_a_run_whose_last_commit_fails_is_recorded_as_failed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    real_check = type(client.store.blobs).check
    armed = [True]

    def refusing(blobs: Any, changes: Any, receipts: Any, refs: Any) -> None:
        if armed[0] and any(receipt.inline and b"lineal.manifest" in receipt.inline[:20] for receipt in receipts):
            raise BlobMissing("refused for the test")
        real_check(blobs, changes, receipts, refs)

    @pipeline
    def single() -> None:
        one()

    monkeypatch.setattr(type(client.store.blobs), "check", refusing)
    with pytest.raises(LinealError):
        single()
    (run,) = client.runs()
    assert run.status == "failed"
