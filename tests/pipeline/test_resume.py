"""Resuming: what a run that did not complete has done is skipped, whatever the cache policy; the rest is executed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import lineal
from lineal import Client, pipeline, step
from lineal.cli import main
from lineal.errors import Conflict, InvalidPipeline, NothingToResume, RunNotFound, StepFailed

PROJECT = """
    import os, time
    from pathlib import Path
    from lineal import pipeline, step

    def note(word):
        with open("notes", "a") as file:
            file.write(word + " ")

    @step(cache=False)
    def draw(size: int) -> bytes:
        note("draw")
        return os.urandom(size)

    @step(cache="refresh")
    def measure(data: bytes) -> int:
        note("measure")
        return len(data) * 1

    @step
    def finish(count: int, drawn: bytes) -> str:
        note("finish")
        if not Path("go").exists():
            Path("waiting").touch()
            if Path("fail").exists():
                raise OSError("no go")
            time.sleep(60)
        return f"{count} {drawn.hex()}"

    @pipeline(cache=False)
    def job(size: int = 3, *names, **more):
        drawn = draw(size)
        finish(measure(drawn), drawn)

    if __name__ == "__main__":
        import lineal
        with lineal.open("store"):
            job(4, "a", b=[1.5])
"""


def write_project(folder: Path, name: str) -> None:
    (folder / name).write_text(textwrap.dedent(PROJECT))


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    """Start the pipeline, and return while its last step executes."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    while not (folder / "waiting").exists():
        assert process.poll() is None, process.communicate()[0]
    return process


def lineal_command(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "lineal", *argv, "--store", "store"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_goes_on_with_the_step_it_was_stopped_in(tmp_path: Path, sent: signal.Signals) -> None:
    write_project(tmp_path, "script.py")
    process = start(tmp_path, "script.py")
    refused = lineal_command(tmp_path, "resume", "job-1", "--script", "script.py")
    assert refused.returncode == 1
    assert "still goes on" in refused.stderr
    assert str(process.pid) in refused.stderr
    process.send_signal(sent)
    process.communicate()
    (tmp_path / "go").touch()
    resumed = lineal_command(tmp_path, "resume", "job-1", "--script", "script.py")
    assert resumed.returncode == 0, resumed.stderr
    assert "resume of" in resumed.stdout
    assert (tmp_path / "notes").read_text() == "draw measure finish finish "
    with lineal.open(tmp_path / "store", read_only=True) as store:
        first, second = store.run("job-1"), store.run("job-2")
        assert first.status == {signal.SIGKILL: "interrupted", signal.SIGINT: "cancelled"}[sent]
        assert second.again == ("resume", first)
        assert second.parameters == first.parameters == {"size": 4, "names": ("a",), "more": {"b": [1.5]}}
        assert {name: one.status for name, one in second.steps.items()} == {
            "draw": "cached",
            "measure": "cached",
            "finish": "completed",
        }
        assert second.steps["draw"].reuses == first.steps["draw"]
        assert second.steps["finish"].output.load() == f"4 {first.steps['draw'].output.load().hex()}"


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Client) -> Any:
    """The pipeline, in a module on the path, after a run of it has failed."""
    name = f"resumed_{tmp_path.name[-12:].replace('-', '_')}"
    write_project(tmp_path, f"{name}.py")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "fail").touch()
    module = __import__(name)
    with pytest.raises(StepFailed, match="no go"):
        module.job(5)
    yield module.job
    sys.modules.pop(name, None)


def statuses(run: lineal.history.RunView) -> list[str]:
    return [one.status for one in run.steps.values()]


def test_what_a_failed_run_did_is_skipped_until_it_completes(client: Client, job: Any, tmp_path: Path) -> None:
    for number in (1, 2):
        with pytest.raises(StepFailed):
            job.resume(f"job-{number}")
    (tmp_path / "go").touch()
    last = job.resume(client.run("job-3"))
    assert statuses(last) == ["cached", "cached", "completed"]
    assert last.steps["draw"].reuses == client.run("job-1").steps["draw"]
    with pytest.raises(NothingToResume, match="job-4 completed"):
        job.resume(last.id)
    assert main(["resume", "job-4", "--store", str(client.path)]) == 1
    assert len(list(client.runs())) == 4


def test_the_same_parameters_in_a_run_that_does_not_resume_execute_what_is_not_cached(client: Client, job: Any) -> None:
    with pytest.raises(StepFailed):
        job(5)
    assert statuses(client.run("job-2")) == ["completed", "completed", "failed"]
    assert client.run("job-2").again is None


def test_what_was_edited_since_is_executed_and_what_follows_from_it(client: Client, job: Any, tmp_path: Path) -> None:
    path = Path(sys.modules[job.function.__module__].__file__ or "")
    path.write_text(path.read_text().replace("len(data) * 1", "len(data) * 10"))
    (tmp_path / "go").touch()
    del sys.modules[job.function.__module__]
    edited = __import__(job.function.__module__).job
    run = edited.resume("job-1")
    assert statuses(run) == ["cached", "completed", "completed"]
    assert run.steps["finish"].output.load().startswith("50 ")


def test_what_is_gone_is_executed_again(client: Client, job: Any, tmp_path: Path) -> None:
    client.release("job.draw.output")
    client.collect(grace_s=0)
    (tmp_path / "go").touch()
    assert statuses(job.resume("job-1")) == ["completed", "completed", "completed"]


def test_a_run_is_resumed_with_its_own_pipeline_and_what_it_was_called_with(client: Client, job: Any) -> None:
    @pipeline
    def other() -> None:
        sys.modules[job.function.__module__].draw(1)

    @pipeline(name="job")
    def changed(length: int) -> None:
        sys.modules[job.function.__module__].draw(length)

    with pytest.raises(InvalidPipeline, match="job-1 is a run of 'job', not of 'other'"):
        other.resume("job-1")
    with pytest.raises(InvalidPipeline, match="no parameter 'size'"):
        changed.resume("job-1")
    with pytest.raises(RunNotFound):
        job.resume("job-7")
    assert len(list(client.runs())) == 1


def test_steps_that_look_the_same_but_gave_different_results_each_get_their_own(client: Client, tmp_path: Path) -> None:
    @step(cache=False)
    def draw() -> bytes:
        return os.urandom(8)

    @step
    def last(both: list) -> bytes:
        return b"".join(both) if (tmp_path / "go").exists() else both[2]

    @pipeline
    def drawing() -> None:
        last([draw(), draw()])

    with pytest.raises(StepFailed):
        drawing()
    (tmp_path / "go").touch()
    run, first = drawing.resume("drawing-1"), client.run("drawing-1")
    drawn = [first.steps[name].output.load() for name in ("draw", "draw_2")]
    assert run.steps["last"].output.load() == b"".join(drawn)
    assert drawn[0] != drawn[1]


def test_a_run_that_goes_on_in_this_process_is_refused(client: Client) -> None:
    @step
    def inner() -> None:
        with pytest.raises(Conflict, match="still goes on"):
            outer.resume("outer-1")

    @pipeline
    def outer() -> None:
        inner()

    outer()


def test_a_pipeline_that_can_not_be_imported_is_named(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    @step
    def failing() -> None:
        raise ValueError

    @pipeline
    def local() -> None:
        failing()

    with pytest.raises(StepFailed):
        local()
    assert main(["resume", "local-1", "--store", str(client.path)]) == 3
    assert "<locals>.local, can't be imported" in capsys.readouterr().err
