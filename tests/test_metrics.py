"""The buffer of metrics: when what is gathered gets into the log."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import lineal
import lineal.metrics
from lineal import Client, pipeline, step
from lineal.events.catalogue import MetricsLogged, RunCompleted, Subject
from lineal.in_force import current_store


@pytest.fixture(autouse=True)
def _never_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time be up, so that nothing but what a test does gets points into the log."""
    monkeypatch.setattr(lineal.metrics, "FLUSH_S", 1e9)


@step
def noisy(number: int) -> int:
    """Logs of itself, as a step is to be able to."""
    store = current_store().store
    run = store.rows("runs").latest(b"l").row[-1]  # type: ignore[union-attr]
    for place in range(100):
        store.metrics.log(Subject("step", "noisy", run), {"x": float(place)})
    if number < 0:
        raise ValueError(number)
    return number


@pipeline
def noise(number: int = 1) -> None:
    noisy(number)


def types(client: Client) -> list[str]:
    """The types of all events as committed."""
    return [recorded.type for recorded in client.store.log.scan()]


@pytest.mark.parametrize("number", [1, -1])
def test_what_a_run_logged_is_in_the_log_before_its_end(client: Client, number: int) -> None:
    if number < 0:
        with pytest.raises(lineal.LinealError):
            noise(number)
    else:
        noise(number)
    found = types(client)
    assert max(place for place, one in enumerate(found) if one == MetricsLogged.TYPE) == len(found) - 2
    assert client.run("noise-1").steps["noisy"].metrics["x"].series().steps == list(range(100))


def test_the_end_of_a_run_submits_nothing_of_others(client: Client) -> None:
    client.save(1, "n")
    client.log_metrics("n", {"x": 1.0})  # The first is submitted at once.
    client.log_metrics("n", {"x": 2.0})
    noise()
    assert types(client)[-1] == RunCompleted.TYPE
    assert client.artifact("n").metrics["x"].count == 2


def test_a_point_that_nothing_precedes_is_submitted_at_once_and_one_soon_after_waits(client: Client) -> None:
    client.save(1, "n")
    client.log_metrics("n", {"x": 1.0})
    client.head  # noqa: B018 — waits for what is submitted
    assert types(client)[-1] == MetricsLogged.TYPE
    before = client.head.seq
    client.log_metrics("n", {"x": 2.0})
    assert client.head.seq == before
    client.flush()
    assert client.head.seq == before + 1


def test_a_point_that_comes_when_the_time_is_up_takes_the_others_along(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.save(1, "n")
    client.log_metrics("n", {"x": 1.0})
    client.log_metrics("n", {"x": 2.0})
    before = client.head.seq
    monkeypatch.setattr(lineal.metrics, "FLUSH_S", 0.0)
    client.log_metrics("n", {"x": 3.0})
    assert client.head.seq == before + 1
    assert client.artifact("n").metrics["x"].count == 3


def test_points_are_durable_once_flush_has_returned_and_close_flushes(store_path: Path) -> None:
    script = (
        "import os, sys, lineal\n"
        "store = lineal.open(sys.argv[1])\n"
        "store.save(1, 'n')\n"
        "for value in range(50): store.log_metrics('n', {'x': value})\n"
        "store.close() if sys.argv[2] == 'close' else store.flush()\n"
        "os._exit(0)\n"
    )
    for number, how in enumerate(("flush", "close"), start=1):
        subprocess.run([sys.executable, "-P", "-c", script, str(store_path), how], check=True)
        with lineal.open(store_path) as client:
            assert client.artifact("n").metrics["x"].count == 50 * number


def test_a_forked_child_has_points_of_its_own_only(client: Client) -> None:
    client.save(1, "n")
    client.log_metrics("n", {"x": 0.0})
    client.log_metrics("n", {"x": 1.0})
    child = os.fork()
    if not child:
        try:
            client.log_metrics("n", {"y": 2.0})
            client.flush()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    metrics = client.artifact("n").metrics
    assert metrics["x"].series().values == [0.0, 1.0]
    assert metrics["y"].series().values == [2.0]


def test_threads_lose_no_point_and_get_distinct_steps(client: Client) -> None:
    version = client.save(1, "n")

    def log() -> None:
        for _ in range(500):
            client.log_metrics(version, {"x": 1.0})

    threads = [threading.Thread(target=log) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(version.metrics["x"].series().steps) == list(range(2000))
