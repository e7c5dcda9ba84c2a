"""``--as-of``, ``log --follow`` and ``replay``, as a shell sees them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import lineal

Command = Callable[..., Any]


def run_names(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines()[1:]]


@pytest.fixture
def second_start(trained: Path) -> datetime:
    """When the second of the four runs began."""
    with lineal.open(trained, read_only=True) as store:
        return store.run("training-2").started


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-7, minutes=-30))])
def test_as_of_takes_a_time_with_a_zone(command: Command, second_start: datetime, zone: timezone) -> None:
    for time_, names in (
        (second_start, ["training-2", "training-1"]),
        (second_start - timedelta(0, 0, 1), ["training-1"]),
    ):
        assert run_names(command("runs", "--as-of", time_.astimezone(zone).isoformat()).out) == names
    with_z = second_start.astimezone(UTC).isoformat().replace("+00:00", "Z")
    assert run_names(command("runs", "--as-of", with_z).out) == ["training-2", "training-1"]


def test_a_time_without_a_zone_is_local(
    command: Command, second_start: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = second_start.astimezone(timezone(timedelta(hours=5))).replace(tzinfo=None).isoformat()
    try:
        monkeypatch.setenv("TZ", "LOCAL-5")
        time.tzset()
        assert run_names(command("runs", "--as-of", local).out) == ["training-2", "training-1"]
        monkeypatch.setenv("TZ", "LOCAL+5")
        time.tzset()
        assert len(run_names(command("runs", "--as-of", local).out)) == 4
    finally:
        monkeypatch.undo()
        time.tzset()


def test_as_of_takes_an_age_and_a_run_and_says_what_it_does_not_know(command: Command) -> None:
    assert len(run_names(command("runs", "--as-of", "0s ago").out)) == 4
    refused = command("runs", "--as-of", "9999w ago")
    assert (refused.code, refused.out) == (1, "")
    assert "nothing was there" in refused.err
    assert run_names(command("runs", "--as-of", "training-1").out) == ["training-1"]
    assert run_names(command("artifacts", "digits-model", "--as-of", "training-1").out) == ["digits-model@1"]
    missed = command("show", "digits-model", "--as-of", "training-17")
    assert missed.code == 3
    assert "no run is called 'training-17'" in missed.err
    unread = command("runs", "--as-of", "yesterday")
    assert unread.code == 3
    assert "an event's number, a time such as 2031-05-01T14:30" in unread.err


READING = ["artifacts", "lineage digits-model", "log", "pins", "show digits-model", "why training-1"]


@pytest.mark.parametrize("verb", [one.split() for one in READING])
def test_every_reading_verb_looks_at_the_past_by_run(command: Command, verb: list[str]) -> None:
    assert command(*verb, "--as-of", "training-1").code == 0


def test_the_log_is_chosen_by_type_and_by_place(command: Command, second_start: datetime) -> None:
    types = [json.loads(line)["type"] for line in command("log", "--type", "run.started", "--json").out.splitlines()]
    assert types == ["run.started/1"] * 4
    several = command("log", "--type", "run.completed", "--type", "run.failed", "--run", "training-2", "--json")
    assert [json.loads(line)["type"] for line in several.out.splitlines()] == ["run.completed/1"]
    since = command("log", "--since", "training-1", "--limit", "1", "--json")
    assert json.loads(since.out)["payload"]["pipeline"] == "training"
    assert command("log", "--since", second_start.isoformat(), "--json").out.count('"run.started/1"') == 2
    assert "Did you mean step.completed" in command("log", "--type", "step.complete").err


def test_a_replay_tells_what_happened_and_what_was_printed_in_order(command: Command) -> None:
    scenes = [json.loads(line) for line in command("replay", "training-1", "--json").out.splitlines()]
    told = [scene["event"]["type"] if scene["event"] else scene["printed"]["text"] for scene in scenes]
    assert told[:4] == ["run.started/1", "step.started/1", "loading 4 rows\n", "step.completed/1"]
    assert told[-1] == "run.completed/1"
    times = [scene["at_s"] for scene in scenes]
    assert times == sorted(times)
    assert times[0] == 0
    text = command("replay", "training-2").out.splitlines()
    assert text[0].split() == ["AT", "TYPE", "WHAT"]
    assert [line.split()[2] for line in text[1:]] == ["run.started", *["step.reused"] * 3, "run.completed"]
    assert command("replay", "training-1", "--speed", "1000").out.split() == command("replay", "training-1").out.split()
    assert command("replay", "training-1", "--as-of", "7", "--json").out.splitlines()[-1].count("step.completed/1") == 1
    assert command("replay", "nothing").code == 3


@contextmanager
def following(store: Path, *argv: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """``lineal log --follow`` in a process of its own."""
    command = [sys.executable, "-P", "-m", "lineal", "log", "--follow", *argv, "--store", str(store)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def save(store: Path, *names: str) -> None:
    """Save from another process."""
    script = "import sys, lineal\nwith lineal.open(sys.argv[1]) as s: [s.save(1, name) for name in sys.argv[2:]]"
    subprocess.run([sys.executable, "-P", "-c", script, str(store), *names], check=True)


def test_following_shows_the_last_events_and_then_those_of_other_processes_at_once(copied: Path) -> None:
    with following(copied, "--json", "--limit", "1") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["type"] == "pin.added/1"
        for name in ("first", "second"):
            save(copied, name)
            event = json.loads(process.stdout.readline())
            assert (event["type"], event["payload"]["output"]["artifact"]) == ("artifact.saved/1", name)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130


def test_following_chooses_and_lines_up_text(copied: Path) -> None:
    with following(copied, "--type", "artifact.saved", "--type", "pin.added") as process:
        assert process.stdout is not None
        assert process.stdout.readline().split() == ["SEQ", "TIME", "TYPE", "WHAT"]
        assert [process.stdout.readline().split()[2] for _ in range(2)] == ["artifact.saved", "pin.added"]
        save(copied, "first", "second")
        assert [process.stdout.readline().split()[3] for _ in range(2)] == ["first", "second"]


def test_following_ends_when_nobody_reads_it_any_more_though_nothing_comes(copied: Path) -> None:
    with following(copied, "--limit", "1", stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == ""


def test_what_was_evicted_since_is_listed_and_shown(command: Command, copied: Path) -> None:
    with lineal.open(copied) as store:
        before = store.head.seq
        store.release("raw")
        store.collect(grace_s=0)
    listed = command("artifacts", "--evicted", "--as-of", str(before), "--store", str(copied)).out
    assert run_names(listed) == ["raw@1"]
    assert "(evicted)" not in listed
    assert "evicted since" in command("show", "raw", "--as-of", str(before), "--store", str(copied)).out
    assert "(evicted)" in command("artifacts", "--evicted", "--store", str(copied)).out
