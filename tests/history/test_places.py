"""Looks at the past by position, time and run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from lineal import Client, pipeline, step
from lineal.cas import digest_of
from lineal.cas.process import ProcessStamp
from lineal.directory import create_store
from lineal.errors import InvalidReference, RunNotFound, StepFailed
from lineal.events import catalogue as facts
from lineal.events.ids import RunId
from lineal.history import History
from lineal.store import Store

START = datetime(2031, 5, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@step
def give(value: int) -> int:
    return value


@pipeline
def giving(value: int) -> None:
    give(value)


@pytest.fixture
def clocked(store_path: Path) -> Iterator[tuple[Store, list[datetime]]]:
    """A store whose clock stands at the last of these times."""
    times = [START]
    create_store(store_path, int(START.timestamp()) * 1_000_000)
    store = Store(store_path, read_only=False, clock=lambda: int(times[-1].timestamp()) * 1_000_000)
    store._users = 1
    with store.blobs.batch() as batch:
        batch.put(b"x")
        pinned = facts.PinAdded("first", digest_of(b"x"))
        store.append([pinned], batch.publish()).wait()
    yield store, times
    store.close()


def pin_at(clocked: tuple[Store, list[datetime]], label: str, time: datetime, **fields: int) -> int:
    """Append an event at a time; give its position."""
    store, times = clocked
    times.append(time)
    store.append([facts.PinAdded(label, digest_of(b"x"), **fields)]).wait()
    return store.head().seq


def labels(history: History) -> list[str]:
    return [pin.label for pin in history.pins()]


def test_as_of_a_time_is_after_all_that_was_recorded_by_then(clocked: tuple[Store, list[datetime]]) -> None:
    for number in range(1, 4):
        pin_at(clocked, f"pin-{number}", START + number * SECOND)
    history = History(clocked[0])
    assert labels(history.as_of(START)) == ["first"]
    assert labels(history.as_of(START + 2 * SECOND)) == ["first", "pin-1", "pin-2"]
    assert labels(history.as_of(START + 3 * SECOND - timedelta(microseconds=1))) == ["first", "pin-1", "pin-2"]
    assert labels(history.as_of(START + timedelta(days=9))) == ["first", "pin-1", "pin-2", "pin-3"]
    assert history.as_of(START + 2 * SECOND).head == history.as_of(4).head
    eastern = timezone(timedelta(hours=-5))
    assert labels(history.as_of((START + SECOND).astimezone(eastern))) == ["first", "pin-1"]


def test_a_clock_that_steps_back_takes_nothing_back(clocked: tuple[Store, list[datetime]]) -> None:
    ahead = pin_at(clocked, "ahead", START + 60 * SECOND)
    behind = pin_at(clocked, "behind", START + 10 * SECOND)
    pin_at(clocked, "later", START + 90 * SECOND)
    history = History(clocked[0])
    assert history.as_of(START + 20 * SECOND).head.seq == ahead - 1
    assert history.as_of(START + 60 * SECOND).head.seq == behind
    assert labels(history.as_of(behind)) == ["ahead", "behind", "first"]


def test_the_time_in_the_past_is_the_one_that_was_asked_for(clocked: tuple[Store, list[datetime]]) -> None:
    expires_us = int((START + 5 * SECOND).timestamp()) * 1_000_000
    seq = pin_at(clocked, "short", START + SECOND, expires_us=expires_us)
    history = History(clocked[0])
    assert labels(history.as_of(seq)) == ["first", "short"]
    assert labels(history.as_of(START + 4 * SECOND)) == ["first", "short"]
    assert labels(history.as_of(START + 5 * SECOND)) == ["first"]


def test_a_time_without_zone_and_one_before_the_store_are_refused(client: Client) -> None:
    with pytest.raises(InvalidReference, match="no zone") as caught:
        client.as_of(datetime(2031, 1, 1))
    assert "astimezone" in (caught.value.hint or "")
    with pytest.raises(InvalidReference, match="nothing was there") as caught:
        client.as_of(datetime(1999, 1, 1, tzinfo=UTC))
    assert "The log begins at" in (caught.value.hint or "")
    with pytest.raises(InvalidReference, match="no place in the log"):
        client.as_of(1.5)  # type: ignore[arg-type]
    assert [recorded.seq for recorded in client.events(datetime(1999, 1, 1, tzinfo=UTC))] == [1]


def test_as_of_a_run_is_right_after_it_ended(client: Client) -> None:
    first = giving(1)
    end = client.head.seq
    giving(2)
    for which in (first, first.id, "giving-1", str(first.id), str(first.id)[:8]):
        past = client.as_of(which)
        assert past.head.seq == end
        assert [run.name for run in past.runs()] == ["giving-1"]
        assert past.run("giving-1").status == "completed"
    with pytest.raises(RunNotFound):
        client.as_of("giving-3")
    with pytest.raises(RunNotFound):
        client.as_of("giving-1").as_of("giving-2")


def test_as_of_a_run_that_goes_on_is_now(client: Client) -> None:
    seen: list[int] = []

    @step
    def look() -> int:
        now = client.head.seq
        past = client.as_of("looking-1")
        seen.extend((now, past.head.seq))
        return len(list(past.runs(status="running")))

    @pipeline
    def looking() -> None:
        look()

    run = looking()
    assert seen[0] == seen[1] < client.head.seq
    assert run.steps["look"].output.load() == 1


def test_the_past_of_a_past_ends_where_that_ends(client: Client) -> None:
    giving(1)
    then = client.head.seq
    giving(2)
    past = client.as_of(then)
    assert past.as_of(datetime.now(UTC)).head.seq == then
    assert past.as_of(3).head.seq == 3
    with pytest.raises(InvalidReference, match=f"no event {then + 1}"):
        past.as_of(then + 1)


def test_runs_are_listed_by_how_they_ended_now_and_then(client: Client) -> None:
    @step
    def refuse(when: bool) -> int:
        if when:
            raise ValueError
        return 1

    @pipeline
    def refusing(when: bool) -> None:
        refuse(when)

    moments = [client.head.seq]
    for when in (True, False, True):
        with suppress(StepFailed):
            refusing(when)
        moments.append(client.head.seq)
    giving(1)
    assert [run.name for run in client.runs(status="failed")] == ["refusing-3", "refusing-1"]
    assert [run.name for run in client.runs("refusing", status="failed", limit=1)] == ["refusing-3"]
    assert [run.name for run in client.runs("giving", status="failed")] == []
    assert [run.name for run in client.runs("refusing", status="completed")] == ["refusing-2"]
    assert [run.name for run in client.runs(status="completed")] == ["giving-1", "refusing-2"]
    assert [run.name for run in client.as_of(moments[2]).runs(status="failed")] == ["refusing-1"]
    assert [run.name for run in client.as_of(moments[2] + 1).runs(status="running")] == ["refusing-3"]
    assert [run.name for run in client.as_of(moments[2] + 1).runs("giving", status="running")] == []


def test_a_run_whose_process_died_unnoticed_counts_as_interrupted(client: Client) -> None:
    with client.store.blobs.batch() as batch:
        blob = batch.put(b"graph")
        dead = facts.Process(ProcessStamp.current().host, "an earlier boot", 1, 1)
        client.store.append([facts.RunStarted(RunId.new(), "p", blob, (), None, dead, blob)], batch.publish())
    assert [run.name for run in client.runs(status="interrupted")] == ["p-1"]
    assert list(client.runs(status="running")) == []
    assert [run.name for run in client.as_of(client.head.seq).runs(status="running")] == ["p-1"]
