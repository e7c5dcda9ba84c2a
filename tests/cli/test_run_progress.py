"""Runs on stderr while they go, on real terminals and elsewhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys, time
import lineal, lineal.cli.live as live
from lineal import pipeline, step

live.PATIENCE_S, live._TICK_S = 0.05, 0.01

@step
def work(number: int, pause_s: float) -> int:
    for done in range(5):
        lineal.context().progress(done + 1, 5, "parts")
        time.sleep(pause_s)
        print(f"part {done}", end="")
        time.sleep(pause_s)
        print(f" of {number}")
    return number

@step
def end(number: int) -> None:
    if number == 13:
        raise ValueError("unlucky")

@pipeline
def working(number: int, pause_s: float):
    end(work(number, pause_s))

with lineal.open(sys.argv[1]):
    for argument in sys.argv[2:]:
        if argument.startswith("sweep:"):
            live._LINE_EVERY_S = 0.0
            working.sweep(number=[1, 13], pause_s=float(argument.partition(":")[2]), failure="continue")
            continue
        number, _, pause_s = argument.partition(":")
        try:
            chosen = working.with_options(executor=os.environ.get("EXECUTOR", "inline"))
            chosen(int(number), float(pause_s))
        except lineal.LinealError as error:
            print(type(error).__name__)
print("cli.live" if "rich" in sys.modules else "no rich")
"""


class Screen:
    """As much of a terminal as is needed to know what is left on it."""

    def __init__(self, text: str) -> None:
        self.lines = [""]
        self._row = self._column = 0
        for command, kind, mark, letters in re.findall(r"\x1b\[([?\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)", text):
            if kind == "A":
                self._row = max(0, self._row - int(command or 1))
            elif kind == "K":
                kept = "" if command == "2" else self.lines[self._row][: self._column]
                self.lines[self._row] = kept
            elif mark == "\r":
                self._column = 0
            elif mark == "\n":
                self._row += 1
                self.lines += [""] * (self._row + 1 - len(self.lines))
            elif letters:
                line = self.lines[self._row].ljust(self._column)
                self.lines[self._row] = line[: self._column] + letters + line[self._column + len(letters) :]
                self._column += len(letters)

    @property
    def text(self) -> list[str]:
        """The lines that are not empty, with durations left out."""
        return [re.sub(r"\d+\.\d+ s", "T s", line.rstrip()) for line in self.lines if line.strip()]


def on_terminal(folder: Path, *arguments: str, **variables: str) -> str:
    """What a program writes to the terminal that is its stdout and stderr."""
    (folder / "main.py").write_text(SCRIPT)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", **variables}
    if "CI" not in variables:
        environment.pop("CI", None)
    command = [sys.executable, "-P", "main.py", str(folder / "store"), *arguments]
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=theirs, stderr=theirs, stdin=theirs)
    os.close(theirs)
    written = b""
    try:
        while piece := os.read(ours, 65536):
            written += piece
    except OSError:  # The other end is closed.
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return written.decode()


def elsewhere(folder: Path, *arguments: str, **variables: str) -> tuple[str, str]:
    """What a program writes to stdout and stderr that are pipes."""
    (folder / "main.py").write_text(SCRIPT)
    command = [sys.executable, "-P", "main.py", str(folder / "store"), *arguments]
    environment = {**os.environ, "TERM": "xterm", **variables}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return ended.stdout, ended.stderr


def printed(number: int) -> list[str]:
    """What one run prints."""
    return [f"part {part} of {number}" for part in range(5)]


def test_on_a_terminal_a_table_comes_goes_and_leaves_what_was_printed_and_a_line(tmp_path: Path) -> None:
    written = on_terminal(tmp_path, "1:0.05", "13:0.05", "2:0")
    for told in ("work", "running", "0 of 2 steps", "3/5 parts", "━"):
        assert told in written
    assert Screen(written).text == [
        *printed(1),
        "working: completed in T s (2 completed)",
        *printed(13),
        "working: failed in T s (1 completed, 1 failed)",
        "StepFailed",
        *printed(2),
        "cli.live",
    ]
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h")  # The cursor is there again.


def test_a_table_has_room_made_by_what_steps_print_in_workers_and_hears_how_far_they_are(tmp_path: Path) -> None:
    written = on_terminal(tmp_path, "1:0.1", EXECUTOR="processes")
    for told in ("work", "running", "0 of 2 steps", "3/5 parts", "━"):
        assert told in written
    assert Screen(written).text == [*printed(1), "working: completed in T s (2 completed)", "cli.live"]


def test_a_sweep_is_one_table_on_a_terminal_and_a_few_lines_elsewhere(tmp_path: Path) -> None:
    written = on_terminal(tmp_path, "sweep:0.05")
    assert "1 of 2 runs" in written
    ended = "sweep of working: completed in T s (1 completed, 1 failed)"
    assert Screen(written).text == [*printed(1), *printed(13), ended, "cli.live"]
    stderr = elsewhere(tmp_path, "sweep:0", LINEAL_PROGRESS="plain")[1]
    lines = re.sub(r"\d+(\.\d+)? m?s\b", "T", stderr).splitlines()
    assert lines == [
        "sweep of working: 1 of 2 runs",
        "sweep of working/number=13, pause_s=0.0: failed in T",
        "sweep of working: completed in T (1 completed, 1 failed)",
    ]


@pytest.mark.parametrize("variables", [{"CI": "true"}, {"TERM": "dumb"}, {"LINEAL_PROGRESS": "none"}])
def test_nothing_is_shown_in_ci_on_odd_terminals_or_where_it_is_not_wanted(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    written = on_terminal(tmp_path, "1:0.02", **variables)
    assert written.splitlines() == [*printed(1), "no rich"]


def test_elsewhere_nothing_is_shown_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert elsewhere(tmp_path, "1:0.02") == ("\n".join([*printed(1), "no rich", ""]), "")
    stdout, stderr = elsewhere(tmp_path, "1:0.02", "13:0", LINEAL_PROGRESS="plain")
    assert stdout.splitlines() == [*printed(13), "StepFailed", "no rich"]
    assert re.sub(r"\d+\.\d+ s", "T s", stderr).splitlines() == [
        "working/work: cached in T s",
        "working/end: cached in T s",
        "working: completed in T s (2 cached)",
        "working/work: completed in T s",
        "working/end: failed in T s",
        "working: failed in T s (1 completed, 1 failed)",
    ]
    # A table can't be had in a pipe.
    assert "working/work: cached" in elsewhere(tmp_path, "1:0.02", LINEAL_PROGRESS="live")[1]


@pytest.mark.parametrize("closing", ["2>&-", "2>/dev/full", "2> >(exec true)"])
def test_a_closed_or_broken_stderr_breaks_no_run(tmp_path: Path, closing: str) -> None:
    (tmp_path / "main.py").write_text(SCRIPT)
    command = f"sleep 0.1 | exec {sys.executable} -P main.py store 1:0.02 {closing}"
    environment = {**os.environ, "LINEAL_PROGRESS": "plain", "PYTHONUNBUFFERED": "1"}
    ended = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    assert ended.stdout.splitlines() == [*printed(1), "no rich"]
