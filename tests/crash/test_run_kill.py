"""SIGKILL and Ctrl-C at random moments of a run, on every executor: what was done stays, and the next run goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import lineal
from lineal.cas.process import ProcessStamp

PROGRAM = """
    import sys, time
    import lineal, numpy as np
    from lineal import pipeline, step

    @step
    def seed(round_: int) -> int:
        return round_

    @step(retries=1)
    def spread(x: int, number: int) -> np.ndarray:
        print("spreading", number)
        time.sleep(0.01)
        return np.full(20_000, x + number)

    @step
    def total(parts: list) -> float:
        return float(sum(part.sum() for part in parts))

    @pipeline
    def job(round_: int):
        x = seed(round_)
        total([spread(x, number) for number in range(12)])

    if __name__ == "__main__":
        with lineal.open(sys.argv[1]):
            print("ready", flush=True)
            for round_ in range(int(sys.argv[3]), int(sys.argv[3]) + 1000):
                job.with_options(executor=sys.argv[2])(round_)
                print("done", round_, flush=True)
"""
EXECUTORS = ("inline", "threads", "processes")


def stop_runs(path: Path, rounds: int, seed: int, executors: tuple[str, ...], checked_every: int = 1) -> int:
    """Stop a program so often, by one signal or the other; give the number of runs that it told to have completed."""
    program = path.parent / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    chance = random.Random(seed)
    told = 0
    for round_ in range(rounds):
        number = signal.SIGKILL if chance.random() < 0.6 else signal.SIGINT
        command = [sys.executable, "-P", str(program), str(path), executors[round_ % len(executors)], str(told)]
        started = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        time.sleep(chance.random() * 0.8)
        os.kill(started.pid, number)
        said, errors = started.communicate(timeout=60)
        assert started.returncode == -number, errors
        assert errors.count("Traceback") == (number == signal.SIGINT), errors
        done = [int(line.split()[1]) for line in said.splitlines() if line.startswith("done ")]
        told = max([told, *(round_ + 1 for round_ in done)])
        if (round_ + 1) % checked_every == 0 or round_ + 1 == rounds:
            check(path, told)
    return told


def check(path: Path, told: int) -> None:
    """The store is sound, every run reads as it ended, and what was told to be complete is all there."""
    with lineal.open(path) as store:
        assert store.verify().is_sound
        runs = list(store.runs())
        assert {run.status for run in runs} <= {"completed", "interrupted", "cancelled"}
        complete = {run.parameters["round_"]: run for run in runs if run.status == "completed"}
        assert set(range(told)) <= complete.keys()
        for round_ in range(told):
            assert complete[round_].steps["total"].output.load() == 20_000 * (12 * round_ + 66)
        for run in runs:
            ended = {"completed": {"completed", "cached"}}.get(run.status, {"completed", "cached", run.status})
            assert {found.status for found in run.steps.values()} <= ended
    left = [ProcessStamp.from_token(found.name.rpartition(".")[0]) for found in (path / "tmp").iterdir()]
    assert [stamp for stamp in left if stamp is not None and not stamp.is_alive()] == []


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_run_that_is_stopped_anywhere_leaves_what_was_done_to_the_next(store_path: Path, executor: str) -> None:
    assert stop_runs(store_path, rounds=2, seed=len(executor), executors=(executor,)) >= 0


@pytest.mark.torture
def test_three_hundred_stops_cost_nothing(store_path: Path) -> None:
    assert stop_runs(store_path, rounds=300, seed=3, executors=EXECUTORS, checked_every=30) > 0
