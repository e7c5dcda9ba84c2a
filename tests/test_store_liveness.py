"""Runs whose process died, here or elsewhere: who opens the store next says so, and only of those."""

from __future__ import annotations

from pathlib import Path

import pytest

import lineal
from lineal.cas.process import CLOCK_SKEW_US, ProcessStamp
from lineal.events import catalogue as facts
from lineal.events.ids import RunId
from lineal.store import now_us

HERE = ProcessStamp.current()
ELSEWHERE = HERE.replaced(host="elsewhere", boot="another", start_ticks=7)
CONTAINER = HERE.replaced(host="container", start_ticks=7)
MINUTE_US = 60_000_000


def start(path: Path, stamp: ProcessStamp, lease_until_us: int | None) -> RunId:
    """Record a run of a process, as if it had done so itself."""
    run = RunId.new()
    with lineal.open(path) as client:
        with client.store.blobs.batch() as batch:
            digest = batch.put(b"graph")
            blobs = batch.publish()
        process = facts.Process(stamp.host, stamp.boot, stamp.pid, stamp.start_ticks)
        event = facts.RunStarted(run, "p", digest, (), None, process, digest, None, lease_until_us)
        client.store.append([event], blobs).wait()
    return run


@pytest.mark.parametrize(
    ("stamp", "ends_us", "status", "reason"),
    [
        (HERE, -MINUTE_US, "running", None),
        (HERE.replaced(start_ticks=HERE.start_ticks + 1), MINUTE_US, "interrupted", "died"),
        (HERE.replaced(boot="before"), MINUTE_US, "interrupted", "died"),
        (ELSEWHERE, MINUTE_US, "running", None),
        (ELSEWHERE, -CLOCK_SKEW_US // 2, "running", None),
        (ELSEWHERE, -CLOCK_SKEW_US - MINUTE_US, "interrupted", "has not renewed its lease"),
        (CONTAINER, MINUTE_US, "running", None),
        (CONTAINER, -CLOCK_SKEW_US - MINUTE_US, "interrupted", "has not renewed its lease"),
        (ELSEWHERE, None, "running", None),
        (HERE.replaced(start_ticks=HERE.start_ticks + 1), None, "interrupted", "died"),
    ],
)
def test_a_run_whose_process_is_dead_or_taken_for_it_is_interrupted_by_who_opens_next(
    store_path: Path, stamp: ProcessStamp, ends_us: int | None, status: str, reason: str | None
) -> None:
    run = start(store_path, stamp, None if ends_us is None else now_us() + ends_us)
    with lineal.open(store_path, read_only=True) as client:
        # Before anybody has written it, whoever looks sees it, too.
        seen = client.run(run)
        assert (seen.status, [one.id for one in client.runs(status=status)]) == (status, [run])
        assert not any(isinstance(recorded.event, facts.RunInterrupted) for recorded in client.events())
    with lineal.open(store_path) as client:
        found = client.run(run)
        assert found.status == status
        said = [recorded.event for recorded in client.events() if isinstance(recorded.event, facts.RunInterrupted)]
        assert [event.run for event in said] == ([] if reason is None else [run])
        assert found.message == (None if reason is None else f"process {stamp.pid} on {stamp.host} {reason}")
        head = client.head
    with lineal.open(store_path) as client:
        assert client.head == head


def test_a_renewed_lease_keeps_a_run_of_another_host_alive(store_path: Path) -> None:
    run = start(store_path, ELSEWHERE, now_us() - CLOCK_SKEW_US - MINUTE_US)
    with lineal.open(store_path) as client:
        assert client.run(run).status == "interrupted"
        client.store.append([facts.RunRenewed(run, now_us() + MINUTE_US)]).wait()
        assert client.run(run).status == "running"
        assert list(client.runs(status="interrupted")) == []
    with lineal.open(store_path) as client:
        assert client.run(run).status == "running"
        client.store.append([facts.RunRenewed(run, now_us() - CLOCK_SKEW_US - MINUTE_US)]).wait()
    with lineal.open(store_path) as client:
        assert [one.id for one in client.runs(status="interrupted")] == [run]
        client.store.append([facts.RunCompleted(run)]).wait()
        found = client.run(run)
        assert found.status == "completed"
        assert found.message is not None
        assert found.message.startswith("it had been given up: process")
        assert list(client.runs(status="interrupted")) == []
        assert [one.id for one in client.runs(status="completed")] == [run]
