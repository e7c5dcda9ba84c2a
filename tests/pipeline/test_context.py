"""The running step's context."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest

import lineal
from lineal import Artifact, Client, pipeline, step
from lineal.cas import BlobFiles
from lineal.errors import InvalidName, InvalidPipeline, NoStepRunning, StepFailed, UnsavableValue
from lineal.events.ids import Fingerprint, RunId, StepRunId
from lineal.pipeline.executing.context import StepContext, running
from lineal.pipeline.executing.reports import GatheredReports, StoreReports
from lineal.pipeline.surroundings.seeds import Entropy

seen: list[Any] = []


@step
def know(number: int) -> Annotated[dict, "known"]:
    """Give what the context says, and leave something in the temporary directory."""
    told = lineal.context()
    folder = told.temporary_directory
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_text("x")
    return {
        "run": str(told.run_id),
        "run_name": told.run_name,
        "pipeline": told.pipeline,
        "step": told.step,
        "attempt": told.attempt,
        "folder": str(folder),
        "is_same": folder == told.temporary_directory,
    }


@step
def fit(epochs: int, is_bad: bool = False) -> tuple[Annotated[int, Artifact("net")], Annotated[int, "score"]]:
    """Log metrics and metadata."""
    for epoch in range(epochs):
        lineal.log_metric("loss", 1 / (epoch + 1))
    lineal.log_metric("f1", 0.5, step=7)
    lineal.log_metadata(data="digits", sizes=[8, 8])
    lineal.log_metadata({"data": "letters"})
    lineal.log_metadata({"framework": "none"}, to="net")
    lineal.context().progress(epochs, epochs, "fitted")
    if is_bad:
        raise ValueError("bad")
    return epochs, 3


@step
def fit_in_threads() -> None:
    """Log from threads."""

    def log(number: int) -> None:
        for place in range(10):
            lineal.log_metric(f"of {number}", place)
        lineal.context().progress(number)

    threads = [threading.Thread(target=log, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@step
def leave_a_thread(path: str) -> None:
    """Go before its thread does."""
    gone, told = threading.Event(), lineal.context()

    def late() -> None:
        gone.wait(10)
        try:
            lineal.log_metric("late", 1)
        except NoStepRunning as error:
            seen.append(error)

    thread = threading.Thread(target=late)
    thread.start()
    seen[:] = [gone, thread, told]


@step
def roll() -> list:
    """Be random."""
    return [random.random(), float(np.random.rand()), float(lineal.context().rng().random())]


@step
def outer(number: int) -> int:
    """Run a pipeline inside."""
    lineal.log_metadata(place="before")
    knowing.with_options(run_name="inner")(number)
    lineal.log_metadata(after=lineal.context().step)
    return number


@pipeline
def knowing(number: int) -> None:
    """One step."""
    know(number)


@pipeline
def fitting(epochs: int, is_bad: bool = False) -> None:
    """One step."""
    fit(epochs, is_bad)


@pipeline
def rolling() -> None:
    """One step."""
    roll()


@pipeline
def threading_() -> None:
    """One step."""
    fit_in_threads()


@pipeline
def leaving(path: str) -> None:
    """One step."""
    leave_a_thread(path)


@pipeline
def nesting(number: int) -> None:
    """A step that runs a pipeline."""
    outer(number)


@pytest.mark.parametrize("is_in_threads", [False, True])
def test_a_step_knows_its_run_and_itself_and_has_a_directory_while_it_runs(client: Client, is_in_threads: bool) -> None:
    with ThreadPoolExecutor(2) as pool:
        run = knowing.with_options(executor=pool if is_in_threads else "inline")(1)
        known = run.steps["know"].output.load()
        fitted = fitting.with_options(executor=pool if is_in_threads else "inline")(3).steps["fit"]
    folder = Path(known.pop("folder"))
    assert known == {
        "run": str(run.id),
        "run_name": "knowing-1",
        "pipeline": "knowing",
        "step": "know",
        "attempt": 1,
        "is_same": True,
    }
    assert not folder.exists()
    assert folder.parent == client.path / "tmp"
    check_fitted(fitted)


def check_fitted(fitted: Any) -> None:
    """Hold what `fit` told of three epochs to what it said."""
    assert fitted.metrics["loss"].series().values == [1, 1 / 2, 1 / 3]
    assert fitted.metrics["loss"].series().steps == [0, 1, 2]
    assert fitted.metrics["f1"].last[::2] == (7, 0.5)
    assert fitted.annotations == {"data": "letters", "sizes": [8, 8]}
    assert fitted.outputs["net"].annotations == {"framework": "none"}
    assert fitted.outputs["score"].annotations == {}


def test_what_is_told_in_another_process_and_its_randomness_are_as_here(client: Client, tmp_path: Path) -> None:
    here = Path(__file__)
    shutil.copy(here, tmp_path / "told.py")
    (tmp_path / "main.py").write_text(
        "import sys, random, lineal; from pathlib import Path; from told import fitting, knowing, rolling\n"
        "@lineal.step\n"
        "def of_the_program() -> str:\n"
        "    return lineal.context().step\n"
        "@lineal.pipeline\n"
        "def programmed():\n"
        "    of_the_program()\n"
        "if __name__ == '__main__':\n"
        "    with lineal.open(sys.argv[1]):\n"
        "        fitting.with_options(executor='processes')(3)\n"
        "        known = knowing.with_options(executor='processes')(1).steps['know'].output.load()\n"
        "        assert known['run_name'] == 'knowing-1' and not Path(known['folder']).exists()\n"
        "        own = programmed.with_options(executor='processes')().steps['of_the_program'].output.load()\n"
        "        assert own == 'of_the_program'\n"
        "        for name in ('processes', 'inline'):\n"
        "            random.seed()\n"
        "            print(rolling.with_options(executor=name, cache=False, seed=4)().steps['roll'].output.load())\n"
    )
    command = [sys.executable, "main.py", str(client.path)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    in_process, inline = ended.stdout.splitlines()
    assert in_process == inline
    check_fitted(client.run("fitting-1").steps["fit"])


def test_metadata_is_committed_with_the_steps_end(client: Client) -> None:
    run = fitting(1)
    types = [recorded.event.TYPE for recorded in run.events()]
    place = types.index("step.completed/1")
    assert types[place : place + 2] == ["step.completed/1", "metadata.set/1"]
    before = client.as_of(next(one.seq for one in run.events() if one.event.TYPE == "step.completed/1") - 1)
    assert before.run(run.id).steps["fit"].annotations == {}


def test_a_failed_step_keeps_what_it_told_of_itself(client: Client) -> None:
    with pytest.raises(StepFailed):
        fitting(2, is_bad=True)
    failed = client.run("fitting-1").steps["fit"]
    assert failed.annotations == {"data": "letters", "sizes": [8, 8]}
    assert failed.metrics["loss"].count == 2


def test_what_a_reused_step_told_is_seen_from_where_it_is_reused(client: Client) -> None:
    fitting(2)
    again = fitting(2).steps["fit"]
    assert again.is_cached
    assert again.metrics["loss"].count == 2
    assert (again.annotations, again.metadata) == ({}, {"data": "letters", "sizes": [8, 8]})
    client.annotate(again, {"data": "mine"})
    client.log_metrics(again, {"f1": 0.75})
    assert again.metadata == {"data": "mine", "sizes": [8, 8]}
    assert again.metrics["f1"].value == 0.75
    assert again.reuses is not None
    assert again.reuses.metrics["f1"].value == 0.5


def test_threads_of_a_step_log_as_the_step(client: Client) -> None:
    metrics = threading_().steps["fit_in_threads"].metrics
    assert {name: metric.series().values for name, metric in metrics.items()} == {
        f"of {number}": list(range(10)) for number in range(3)
    }


def test_a_step_that_has_ended_takes_nothing_more(client: Client) -> None:
    run = leaving("x")
    gone, thread, told = seen
    gone.set()
    thread.join()
    assert isinstance(seen[-1], NoStepRunning)
    assert run.steps["leave_a_thread"].metrics == {}
    with pytest.raises(NoStepRunning, match="has ended"):
        _ = told.temporary_directory


def test_a_pipeline_in_a_step_has_contexts_of_its_own(client: Client) -> None:
    run = nesting(5)
    assert run.steps["outer"].annotations == {"after": "outer", "place": "before"}
    assert client.run("inner").steps["know"].output.load()["pipeline"] == "knowing"


@pytest.mark.parametrize("call", [lineal.context, lambda: lineal.log_metric("x", 1), lambda: lineal.log_metadata(x=1)])
def test_outside_of_a_step_the_error_says_what_to_do(call: Any) -> None:
    with pytest.raises(NoStepRunning, match="no step is running here\nHint: Call this in a step"):
        call()
    assert know.function is not None


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: lineal.log_metadata({"x": 1}, to="nett"), InvalidPipeline),
        (lambda: lineal.log_metadata(x=object()), UnsavableValue),
        (lambda: lineal.log_metadata(x="y" * 70_000), UnsavableValue),
        (lambda: lineal.log_metadata({"\n": 1}), InvalidName),
        (lambda: lineal.log_metric("x", "1"), UnsavableValue),  # type: ignore[arg-type]
        (lambda: lineal.log_metric("x", 1, step=0.5), UnsavableValue),  # type: ignore[arg-type]
        (lambda: lineal.log_metric("", 1), InvalidName),
    ],
)
@pytest.mark.parametrize("is_gathered", [False, True])
def test_what_can_not_be_told_is_an_error_in_the_step(
    client: Client, tmp_path: Path, call: Any, error: type[Exception], is_gathered: bool
) -> None:
    id_ = RunId.new()
    reports = (
        GatheredReports("r", BlobFiles(tmp_path)) if is_gathered else StoreReports(client.store, StepRunId(id_, "fit"))
    )
    context = StepContext(
        run_id=id_,
        pipeline="p",
        step="fit",
        attempt=1,
        outputs=("net",),
        entropy=Entropy(Fingerprint(bytes(32))),
        reports=reports,
    )
    with running(context), pytest.raises(error):
        call()


def test_the_directory_of_a_killed_process_goes_when_the_store_is_opened(client: Client, tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from lineal.cas import BlobFiles;"
        "folder = BlobFiles(Path(sys.argv[1])).scratch_directory();"
        "(folder / 'file').write_text('x'); print(folder, flush=True); os._exit(9)"
    )
    command = [sys.executable, "-P", "-c", code, str(client.path)]
    folder = Path(subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip())
    mine = client.store.blobs.files.scratch_directory()
    assert (folder / "file").exists()
    client.store.blobs.files.clean_scratch()
    assert not folder.exists()
    assert mine.exists()
