"""Calls that travel to a worker together: each is made once, and none waits for another that takes long."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path

import pytest

from lineal.errors import WorkerDied
from lineal.pipeline.workers.pool import Processes, WorkerPool
from lineal.pipeline.workers.workforce import Terms

ALIKE = Terms(kind="short ones")


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[WorkerPool]:
    """A pool of two workers, both held until there is a gate, which has seen that calls of a kind are short."""
    opened = WorkerPool(Processes(workers=2))
    for future in [opened.submit_as(ALIKE, len, "abc") for _ in range(40)]:
        future.result(30)
    for _ in range(2):
        opened.submit(exec, waiting_for(tmp_path / "gate"))
    yield opened
    opened.kill()


def waiting_for(file: Path) -> str:
    """Code that waits until there is a file."""
    return f"import os, time\nwhile not os.path.exists({str(file)!r}): time.sleep(0.001)"


def noting(file: Path, number: int, pause_s: float = 0.0) -> str:
    """Code that leaves a number where all processes do."""
    return (
        "import os, time\n"
        f"fd = os.open({str(file)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n"
        f"os.write(fd, b'{number}\\n'); os.close(fd); time.sleep({pause_s})"
    )


def noted(file: Path) -> Counter[int]:
    return Counter(map(int, file.read_text().split()))


def all_done(futures: list[Future[None]]) -> bool:
    return [future.result(30) for future in futures] == [None] * len(futures)


def test_what_was_sent_with_a_call_that_takes_long_is_done_by_another_worker(pool: WorkerPool, tmp_path: Path) -> None:
    long = pool.submit_as(ALIKE, exec, waiting_for(tmp_path / "later"))
    short = [pool.submit_as(ALIKE, exec, noting(tmp_path / "notes", number)) for number in range(9)]
    (tmp_path / "gate").touch()
    assert all_done(short)
    assert not long.done()
    (tmp_path / "later").touch()
    assert long.result(30) is None
    assert noted(tmp_path / "notes") == Counter(range(9))


def test_of_calls_sent_together_a_death_fails_the_one_that_was_begun(pool: WorkerPool, tmp_path: Path) -> None:
    dying = pool.submit_as(ALIKE, os._exit, 3)
    others = [pool.submit_as(ALIKE, exec, noting(tmp_path / "notes", number)) for number in range(9)]
    (tmp_path / "gate").touch()
    assert isinstance(dying.exception(30), WorkerDied)
    assert all_done(others)
    assert noted(tmp_path / "notes") == Counter(range(9))


def test_of_calls_sent_together_one_can_be_stopped_alone(pool: WorkerPool, tmp_path: Path) -> None:
    later = waiting_for(tmp_path / "later")
    first = pool.submit_as(ALIKE, exec, later)
    more = [pool.submit_as(ALIKE, exec, noting(tmp_path / "notes", number)) for number in range(6)]
    second = pool.submit_as(ALIKE, exec, later)
    last = [pool.submit_as(ALIKE, exec, noting(tmp_path / "notes", number)) for number in range(6, 12)]
    (tmp_path / "gate").touch()
    given_by = time.monotonic() + 30
    while not (first.running() and second.running()) and time.monotonic() < given_by:
        time.sleep(0.001)
    given = [future for future in last if future.running()]
    assert given
    pool.stop(given[0])
    with pytest.raises(CancelledError):
        given[0].result(30)
    (tmp_path / "later").touch()
    assert all_done([first, second, *more, *(future for future in last if future is not given[0])])
    assert noted(tmp_path / "notes") == Counter(set(range(12)) - {6 + last.index(given[0])})


def test_a_worker_that_everything_was_taken_back_from_goes_on_with_what_comes_next(tmp_path: Path) -> None:
    pool = WorkerPool(Processes(workers=1))
    try:
        stopped = pool.submit(exec, noting(tmp_path / "notes", 1))
        pool.stop(stopped)  # Its process has not started yet.
        assert pool.submit(exec, noting(tmp_path / "notes", 2)).result(30) is None
        with pytest.raises(CancelledError):
            stopped.result(30)
        assert noted(tmp_path / "notes") == Counter([2])
    finally:
        pool.kill()


def test_calls_are_made_once_each_however_workers_take_them_from_each_other(tmp_path: Path) -> None:
    pool, notes, chance = WorkerPool(Processes(workers=3)), tmp_path / "notes", random.Random(7)
    try:
        futures: list[Future[None]] = []
        for number in range(400):
            pause_s = 0.02 if chance.random() < 0.03 else 0.0
            kind = chance.choice(["a", "b"])
            futures.append(pool.submit_as(Terms(kind=kind), exec, noting(notes, number, pause_s)))
            if chance.random() < 0.02:
                time.sleep(0.01)
        assert all_done(futures)
        assert noted(notes) == Counter(range(400))
    finally:
        pool.kill()
