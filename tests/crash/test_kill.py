"""SIGKILL at random moments, several writers at once: what was acknowledged is there, and the store opens."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from powercut.verdict import all_rows

import lineal

WRITER = """
    import itertools, os, sys
    import lineal, numpy as np
    from lineal import pipeline, step

    @step
    def small(n: int) -> dict:
        return {"n": n, "text": "x" * (n % 500)}

    @step
    def large(small: dict) -> np.ndarray:
        return np.full(20_000, small["n"])

    @pipeline
    def job(n: int):
        large(small(n))

    with lineal.open(sys.argv[1]):
        print("ready", flush=True)
        for n in itertools.count(int(sys.argv[2])):
            run = job(n % 50)
            print(run.id, flush=True)
"""


def kill_writers(path: Path, script: Path, rounds: int, seed: int, checked_every: int = 1) -> int:
    """Kill two writers a round; give the number of runs that were acknowledged.

    What a round acknowledged is looked up after it; everything there is, after so many rounds and at the end.
    """
    chance = random.Random(seed)
    acknowledged: set[str] = set()
    for round_ in range(rounds):
        command = [sys.executable, "-P", str(script), str(path)]
        writers = [
            subprocess.Popen([*command, str(round_ * 7 + number)], stdout=subprocess.PIPE, text=True)
            for number in range(2)
        ]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        time.sleep(chance.random() * 0.5)
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        told = set()
        for writer in writers:
            output, _ = writer.communicate(timeout=30)
            told |= {line for line in output.split("\n")[:-1] if len(line) == 32}
        acknowledged |= told
        with lineal.open(path) as store:
            assert {store.run(run).status for run in told} <= {"completed"}
        if (round_ + 1) % checked_every == 0 or round_ + 1 == rounds:
            check(path, acknowledged)
    return len(acknowledged)


def check(path: Path, acknowledged: set[str]) -> None:
    """All that was acknowledged is there, whole; nothing reads as running; replay agrees; no scratch is left."""
    with lineal.open(path) as store:
        assert store.verify().is_sound
        statuses = {str(run.id): run.status for run in store.runs()}
        assert set(statuses.values()) <= {"completed", "interrupted"}
        assert {statuses.get(run) for run in acknowledged} <= {"completed"}
        for artifact in store.artifacts():
            for version in artifact.versions:
                version.load()
        kept = all_rows(store.store)
        store.rebuild()
        assert all_rows(store.store) == kept
    assert list((path / "tmp").iterdir()) == []


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The writers' program."""
    path = tmp_path / "writer.py"
    path.write_text(textwrap.dedent(WRITER))
    return path


def test_a_crash_is_a_state_not_an_accident(store_path: Path, script: Path) -> None:
    assert kill_writers(store_path, script, rounds=4, seed=1) > 0


@pytest.mark.torture
def test_five_hundred_kills_cost_nothing(store_path: Path, script: Path) -> None:
    assert kill_writers(store_path, script, rounds=250, seed=2, checked_every=50) > 0
