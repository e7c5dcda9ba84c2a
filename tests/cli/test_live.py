"""Looking at a store while another process writes to it, and after that process was killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
WAITING = """
import sys, time
from pathlib import Path
import lineal

@lineal.step
def wait(door: str) -> bool:
    print("waiting", flush=True)
    while not Path(door).exists():
        time.sleep(0.01)
    return True

@lineal.pipeline
def waiting(door: str):
    wait(door)

with lineal.open(sys.argv[1]):
    waiting(sys.argv[2])
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process whose run waits for the file ``door``."""
    script = tmp_path / "waiting.py"
    script.write_text(WAITING)
    argv = [sys.executable, "-P", str(script), str(tmp_path / "store"), str(tmp_path / "door")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        yield process
        process.kill()


def newest_run(command: Command, store: Path) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(command("runs", "--store", str(store), "--json").out)
    return run


def until_its_step_runs(command: Command, store: Path) -> None:
    deadline_s = time.monotonic() + 60
    while newest_run(command, store)["steps"]["running"] == 0:
        assert time.monotonic() < deadline_s


def test_a_run_under_way_is_shown_and_left_in_peace(
    running: subprocess.Popen[str], command: Command, tmp_path: Path
) -> None:
    until_its_step_runs(command, tmp_path / "store")
    run = newest_run(command, tmp_path / "store")
    assert (run["status"], run["duration_s"]) == ("running", None)
    assert "status       running" in command("show", "waiting-1/wait", "--store", str(tmp_path / "store")).out
    (tmp_path / "door").touch()
    assert running.wait() == 0
    run = newest_run(command, tmp_path / "store")
    assert (run["status"], run["steps"]["executed"]) == ("completed", 1)


def test_a_killed_run_reads_interrupted(running: subprocess.Popen[str], command: Command, tmp_path: Path) -> None:
    until_its_step_runs(command, tmp_path / "store")
    running.send_signal(signal.SIGKILL)
    running.wait()
    run = newest_run(command, tmp_path / "store")
    assert (run["status"], run["steps"]["interrupted"]) == ("interrupted", 1)
    assert f"process {running.pid}" in run["message"]
