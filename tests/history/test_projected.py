"""Projections of users: folded from all of the log, kept beside it, and never in its way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

import lineal
from lineal.errors import Invalid, InvalidName, ProjectionFailed
from lineal.events.catalogue import ArtifactSaved
from lineal.events.projections import Projection, Recorded, RowWriter, key


class Sizes(Projection):
    """By artifact, all it ever took."""

    name = "sizes"
    events = (ArtifactSaved,)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        output = recorded.event.output  # type: ignore[attr-defined]
        rows.add(key("s", output.artifact), (rows.latest(key("s", output.artifact)) or 0) + output.size_bytes)


class SizesTwice(Sizes):
    version = 2

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        super().apply(rows, recorded)
        super().apply(rows, recorded)


class Everything(Projection):
    name = "everything"
    events = None

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        rows.add(key("t", recorded.type), recorded.seq)


class Failing(Sizes):
    name = "failing"
    bad: ClassVar[set[int]] = set()

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        super().apply(rows, recorded)
        if recorded.seq in self.bad:
            raise ValueError("no such luck")


def expected(client: lineal.Client, upto: int | None = None) -> dict[str, int]:
    """What `Sizes` says, by a plain loop."""
    totals: dict[str, int] = {}
    for recorded in client.events():
        if isinstance(recorded.event, ArtifactSaved) and (upto is None or recorded.seq <= upto):
            output = recorded.event.output
            totals[output.artifact] = totals.get(output.artifact, 0) + output.size_bytes
    return totals


def sizes_of(rows: Any) -> dict[str, int]:
    found = {row_key: rows.latest(row_key) for row_key in rows.keys(key("s"))}
    return {row_key[2:].decode(): stamped.row for row_key, stamped in found.items()}


def fill(client: lineal.Client) -> None:
    for number in range(30):
        client.save("x" * number, f"artifact-{number % 4}")  # Which has nothing to show: one event each.


def test_its_rows_are_a_fold_of_all_history_and_of_what_is_new_at_each_call(client: lineal.Client) -> None:
    fill(client)
    assert sizes_of(client.projected(Sizes())) == expected(client)
    fill(client)
    client.save(1, "another")
    assert sizes_of(client.projected(Sizes())) == expected(client)
    assert len(expected(client)) == 5


@pytest.mark.parametrize("seq", [1, 7, 20])
def test_as_of_an_event_its_rows_are_those_of_a_log_that_ends_there(client: lineal.Client, seq: int) -> None:
    fill(client)
    assert sizes_of(client.as_of(seq).projected(Sizes())) == expected(client, seq)


def test_its_rows_survive_closing_and_are_not_folded_again(store_path: Path) -> None:
    class Counting(Sizes):
        name = "counting"
        applied = 0

        def apply(self, rows: RowWriter, recorded: Recorded) -> None:
            Counting.applied += 1
            super().apply(rows, recorded)

    for _ in range(2):
        with lineal.open(store_path) as client:
            fill(client)
            assert sizes_of(client.projected(Counting())) == expected(client)
    assert Counting.applied == 60


def test_a_new_version_starts_over_and_removes_the_old_rows(client: lineal.Client) -> None:
    fill(client)
    client.projected(Sizes())
    home = client.path / "projections" / "sizes"
    assert [path.name for path in home.iterdir()] == ["1"]
    twice = sizes_of(client.projected(SizesTwice()))
    assert twice == {name: 2 * size for name, size in expected(client).items()}
    assert [path.name for path in home.iterdir()] == ["2"]


def test_what_apply_raises_names_the_event_and_goes_on_before_it(client: lineal.Client) -> None:
    fill(client)
    failing = Failing()
    failing.bad = {17}
    for _ in range(2):
        with pytest.raises(ProjectionFailed, match=r"event 17, artifact.saved/1: ValueError") as raised:
            client.projected(failing)
        assert raised.value.details == {"seq": 17}
        assert isinstance(raised.value.__cause__, ValueError)
    failing.bad = set()
    assert sizes_of(client.projected(failing)) == expected(client)


def test_a_key_that_is_too_long_names_the_event(client: lineal.Client) -> None:
    class LongKeys(Sizes):
        name = "long-keys"

        def apply(self, rows: RowWriter, recorded: Recorded) -> None:
            rows.add(b"x" * (500 if recorded.seq == 9 else 499), 1)

    fill(client)
    with pytest.raises(ProjectionFailed, match="event 9 a row under a key of 500 bytes"):
        client.projected(LongKeys())
    assert client.verify().is_sound


def test_its_directory_may_be_deleted_at_any_time(client: lineal.Client) -> None:
    fill(client)
    before = sizes_of(client.projected(Sizes()))
    reader = client.projected(Sizes())
    shutil.rmtree(client.path / "projections")
    assert sizes_of(client.projected(Sizes())) == before
    assert sizes_of(reader) == before
    shutil.rmtree(client.path / "projections")
    client.save(1, "more")
    assert sizes_of(client.projected(Sizes())) == expected(client)
    assert client.verify().is_sound


def test_a_store_that_is_read_only_is_not_written_to(store_path: Path) -> None:
    with lineal.open(store_path) as client:
        fill(client)
    before = sorted(store_path.rglob("*"))
    with lineal.open(store_path, read_only=True) as client:
        assert sizes_of(client.projected(Sizes())) == expected(client)
        assert sorted(store_path.rglob("*")) == before


def test_all_types_of_event_may_be_taken(client: lineal.Client) -> None:
    fill(client)
    rows = client.projected(Everything())
    newest = {recorded.type: recorded.seq for recorded in client.events()}
    assert {type_: rows.latest(key("t", type_)).row for type_ in newest} == newest  # type: ignore[union-attr]


@pytest.mark.parametrize("others", [0, 1, 5])
def test_another_log_in_the_stores_place_is_folded_from_its_beginning(tmp_path: Path, others: int) -> None:
    first, copy = tmp_path / "first", tmp_path / "copy"
    with lineal.open(first) as client:
        fill(client)
    shutil.copytree(first, copy)
    with lineal.open(first) as client:
        client.save("x" * 1000, "ours")
        client.save("x" * 1000, "ours too")
        client.projected(Sizes())
    shutil.rmtree(first / "log")
    shutil.copytree(copy / "log", first / "log")
    with lineal.open(first) as client:
        for number in range(others):
            client.save("y" * number, "others")
        client.flush()
        assert sizes_of(client.projected(Sizes())) == expected(client)


@pytest.mark.parametrize("name", ["", "../up", "Upper", "a/b", "x" * 65])
def test_a_name_that_no_directory_can_have_is_refused(client: lineal.Client, name: str) -> None:
    projection = Sizes()
    projection.name = name  # type: ignore[misc]
    with pytest.raises(InvalidName):
        client.projected(projection)
    projection.name, projection.version = "fine", 0  # type: ignore[misc]
    with pytest.raises(Invalid):
        client.projected(projection)


SCRIPT = """
import os, sys
import lineal
from lineal.events.catalogue import ArtifactSaved
from lineal.events.projections import Projection, key
from lineal.events import projector

projector._PIECE_EVENTS = 10
dies_at = int(sys.argv[2])

class Sizes(Projection):
    name = "sizes"
    events = (ArtifactSaved,)

    def apply(self, rows, recorded):
        output = recorded.event.output
        rows.add(key("s", output.artifact), (rows.latest(key("s", output.artifact)) or 0) + output.size_bytes)
        if recorded.seq == dies_at:
            os.kill(os.getpid(), 9)

with lineal.open(sys.argv[1]) as client:
    client.projected(Sizes())
"""


@pytest.mark.parametrize("seq", [2, 15, 31])
def test_killed_at_any_event_its_rows_are_whole_and_go_on(store_path: Path, seq: int) -> None:
    with lineal.open(store_path) as client:
        fill(client)
    died = subprocess.run([sys.executable, "-P", "-c", SCRIPT, str(store_path), str(seq)])
    assert died.returncode == -signal.SIGKILL
    with lineal.open(store_path) as client:
        assert sizes_of(client.projected(Sizes())) == expected(client)


def test_several_processes_may_fold_one_projection_at_once(store_path: Path) -> None:
    with lineal.open(store_path) as client:
        for _ in range(5):
            fill(client)
    command = [sys.executable, "-P", "-c", SCRIPT, str(store_path), "0"]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    with lineal.open(store_path) as client:
        assert sizes_of(client.projected(Sizes())) == expected(client)


def test_a_forked_child_goes_on_with_it(client: lineal.Client) -> None:
    fill(client)
    before = sizes_of(client.projected(Sizes()))
    child = os.fork()
    if child == 0:
        os._exit(0 if sizes_of(client.projected(Sizes())) == before else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert sizes_of(client.projected(Sizes())) == before
