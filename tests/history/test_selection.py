"""Events by place, type and run; and those that come."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import lmdb
import pytest

import lineal
from lineal import Client, pipeline, step
from lineal.errors import InvalidReference, RunNotFound
from lineal.events import catalogue as facts
from lineal.history import selection

SAVING = """
import sys, lineal
with lineal.open(sys.argv[1]) as store:
    for line in sys.stdin:
        store.save(line, "line")
        store.flush()
        print("saved", flush=True)
"""


@step
def give(value: int) -> int:
    print("giving", value)
    return value


@pipeline
def giving(value: int) -> None:
    give(value)


@pytest.fixture
def filled(client: Client) -> Client:
    """Two runs with a save between them: events 2 to 8, 9, and 10 to 13; 3, 4 and 6 are of no run."""
    giving(1)
    client.save(b"run.started/1 step.completed/1", "named like types")
    giving(2)
    return client


def seqs(events: Iterator[facts.Recorded] | Iterator[object]) -> list[int]:
    return [recorded.seq for recorded in events]  # type: ignore[union-attr]


def test_events_are_chosen_by_place(filled: Client) -> None:
    assert seqs(filled.events()) == list(range(1, 14))
    assert seqs(filled.events(10)) == [11, 12, 13]
    assert seqs(filled.events(since=filled.run("giving-1"), upto=11)) == [9, 10, 11]
    assert seqs(filled.events(upto="giving-1")) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert seqs(filled.events(since=13)) == []
    assert seqs(filled.as_of(5).events(since=3)) == [4, 5]
    for wrong in ({"since": 14}, {"upto": 14}):
        with pytest.raises(InvalidReference):
            filled.events(**wrong)


def test_events_are_chosen_by_type_in_all_its_versions_or_one(filled: Client) -> None:
    assert seqs(filled.events(types="run.started")) == [2, 10]
    assert seqs(filled.events(types=facts.StepCompleted)) == [7, 12]
    assert seqs(filled.events(types=[facts.RunStarted, "run.completed/1"])) == [2, 8, 10, 13]
    assert seqs(filled.events(types="run.completed/9")) == []
    assert seqs(filled.events(types=[])) == []
    with pytest.raises(InvalidReference, match=r"no event is called 'step.complete'") as caught:
        filled.events(types="step.complete")
    assert "step.completed" in (caught.value.hint or "")


def test_every_type_is_found_by_its_class_and_nothing_else_is(filled: Client) -> None:
    everything = list(filled.events())
    for kind in {type(recorded.event) for recorded in everything}:
        assert seqs(filled.events(types=kind)) == [one.seq for one in everything if isinstance(one.event, kind)]


@pytest.mark.parametrize("few", [0, 10_000])
def test_events_are_chosen_by_run_with_an_index_and_without(
    filled: Client, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "_FEW_EVENTS", few)
    filled.store.rows("streams")
    run = filled.run("giving-1")
    assert seqs(filled.events(run=run)) == seqs(run.events()) == [2, 5, 7, 8]
    assert seqs(filled.events(run="giving-2", types=[facts.StepCompleted], since=3)) == [12]
    assert seqs(filled.events(run=run.id, upto=7)) == [2, 5, 7]
    assert seqs(filled.as_of(5).run("giving-1").events()) == [2, 5]
    with pytest.raises(RunNotFound):
        filled.events(run="giving-3")


def readers(environment: lmdb.Environment) -> set[str]:
    """The transactions that are being read; ``-`` for a reader that reads none."""
    return {line.split()[2] for line in environment.readers().splitlines()[1:]}


def test_a_slow_reader_pins_no_pages_and_ends_where_the_log_ended(filled: Client) -> None:
    reading = filled.events()
    assert next(reading).seq == 1
    environment = filled.store.environment._env
    used = environment.info()["last_pgno"]
    for number in range(300):
        filled.save(number % 7, "again")
        filled.flush()
    deadline = time.monotonic() + 60
    while not readers(environment) <= {"-"} and time.monotonic() < deadline:
        time.sleep(0.01)  # The thread that commits looks at the log for a moment, too.
    assert readers(environment) <= {"-"}
    assert environment.info()["last_pgno"] < used + 200
    assert seqs(reading) == list(range(2, 14))


def test_what_comes_is_followed_from_another_process_and_read_only(store_path: Path) -> None:
    lineal.open(store_path).close()
    argv = [sys.executable, "-P", "-c", SAVING, str(store_path)]
    with (
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as saving,
        lineal.open(store_path, read_only=True) as reading,
    ):
        assert saving.stdin is not None
        assert saving.stdout is not None
        following = reading.follow(types=[facts.ArtifactSaved])
        for number in range(3):
            threading.Timer(0.05 * number, lambda: (saving.stdin.write("text\n"), saving.stdin.flush())).start()
        assert seqs(islice(following, 3)) == [2, 3, 4]
        assert [saving.stdout.readline() for _ in range(3)] == ["saved\n"] * 3
        saving.stdin.close()
        assert seqs(reading.follow(2, until=lambda: True)) == [3, 4]
        following.close()  # type: ignore[attr-defined]


def test_following_begins_with_what_comes_or_where_it_is_told_and_ends_on_request(filled: Client) -> None:
    ended = threading.Event()
    ended.set()
    assert seqs(filled.follow(until=ended.is_set)) == []
    assert seqs(filled.follow(since="giving-1", run="giving-2", until=ended.is_set)) == [10, 11, 12, 13]
    ended.clear()
    following = filled.follow(since=12, until=ended.is_set)
    assert next(following).seq == 13
    threading.Timer(0.02, filled.save, (1, "x")).start()
    assert next(following).seq == 14
    threading.Timer(0.02, ended.set).start()
    assert seqs(following) == []


def test_the_past_is_followed_to_its_end(filled: Client) -> None:
    assert seqs(filled.as_of(5).follow(since=3)) == [4, 5]
