"""Leases: a run that takes long says that it goes on, and one that doesn't costs nothing."""

from __future__ import annotations

import os
import time

import pytest

from lineal import Client, pipeline, step
from lineal.events import catalogue as facts
from lineal.events.catalogue import Event
from lineal.pipeline.running import leases


@step
def pausing(seconds: float, cached: bool = True) -> float:
    time.sleep(seconds)
    return seconds


@pipeline
def resting(seconds: float):
    pausing(seconds)


def events_of(client: Client, *kinds: type[Event]) -> list[Event]:
    return [recorded.event for recorded in client.events() if isinstance(recorded.event, kinds)]


def test_a_run_renews_its_lease_when_a_third_of_it_is_over_and_not_before(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 0.9)
    resting(0.0)
    assert events_of(client, facts.RunRenewed) == []
    run = resting(1.0)
    (_, started) = events_of(client, facts.RunStarted)
    renewed = events_of(client, facts.RunRenewed)
    assert isinstance(started, facts.RunStarted)
    assert 2 <= len(renewed) <= 3
    until = [started.lease_until_us, *(event.lease_until_us for event in renewed)]  # type: ignore[attr-defined]
    assert until == sorted(until)
    assert {event.run for event in renewed} == {run.id}  # type: ignore[attr-defined]
    assert run.status == "completed"


def test_what_executes_when_its_run_renews_the_lease_is_claimed_for_others_to_wait_for(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 0.6)
    run = resting(0.5)
    (claimed,) = events_of(client, facts.FingerprintClaimed)
    (ended,) = events_of(client, facts.ClaimEnded)
    assert claimed == facts.FingerprintClaimed(claimed.fingerprint, run.id, "pausing")  # type: ignore[attr-defined]
    assert ended == facts.ClaimEnded(claimed.fingerprint, run.id)  # type: ignore[attr-defined]
    resting.with_options(cache=False)(0.51)
    assert len(events_of(client, facts.FingerprintClaimed)) == 1


def test_a_lease_that_can_not_be_renewed_is_not_tried_again_and_the_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 0.06)
    renewals = leases.Renewals()
    calls: list[str] = []

    def refused() -> None:
        calls.append("refused")
        raise leases.LinealError("the store is closed")

    with renewals.kept(refused), renewals.kept(lambda: calls.append("renewed")):
        time.sleep(0.5)
    count = len(calls)
    assert calls.count("refused") == 1
    assert calls.count("renewed") > 2
    time.sleep(0.1)
    assert len(calls) == count


def test_a_forked_child_renews_what_is_its_own_and_not_what_is_its_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 0.06)
    renewals = leases.Renewals()
    calls: list[int] = []
    with renewals.kept(lambda: calls.append(0)):
        child = os.fork()
        if not child:
            calls.clear()
            with renewals.kept(lambda: calls.append(1)):
                time.sleep(0.3)
            os._exit(set(calls) != {1})
        assert os.waitpid(child, 0)[1] == 0
