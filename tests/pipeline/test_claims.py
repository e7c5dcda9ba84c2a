"""Claims: of processes that need the same result at once one computes it, and whoever stops blocks nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from children import ended_well, forked

import lineal
from lineal import Client, pipeline, step
from lineal.cas.process import ProcessStamp
from lineal.events import catalogue as facts
from lineal.events.ids import Fingerprint, RunId, StepRunId
from lineal.pipeline.running.claims import Claims
from lineal.store import Store

PROGRAM = """
import sys, time
from pathlib import Path
import lineal
from lineal import pipeline, step
from lineal.pipeline.running import leases

store, done, word, lease_s = sys.argv[1:5]
leases.LEASE_S = float(lease_s)

@step(once=True)
def slow(number: int) -> str:
    with open("executed", "a") as file:
        file.write("x")
    while not Path("go").exists():
        time.sleep(0.005)
    return "result" if number else str(time.time_ns())

@step(once=True)
def fragile(number: int) -> str:
    with open("executed", "a") as file:
        file.write("x")
    while not Path("go").exists():
        time.sleep(0.005)
    if not Path("mended").exists():
        Path("mended").touch()
        raise ValueError("the first one fails")
    return "result"

@pipeline
def one(number: int = 1):
    slow(number)

@pipeline
def two():
    fragile(1)

@pipeline
def diverging(number: int = 0):
    slow(number)

with lineal.open(store):
    Path(word).touch()
    try:
        run = {"one": one, "two": two, "diverging": diverging}[done]()
        print(*[(view.status, view.output.load()) for view in run.steps.values()], flush=True)
    except lineal.LinealError as error:
        print(type(error).__name__, flush=True)
"""


class Stage:
    """A directory in which programs run that share a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "store"
        lineal.open(self.path).close()
        (folder / "program.py").write_text(PROGRAM)
        self.started: list[subprocess.Popen[str]] = []

    def start(self, which: str = "one", lease_s: float = 60) -> subprocess.Popen[str]:
        """Start a program; it has opened the store when this returns."""
        word = self.folder / f"opened-{len(self.started)}"
        command = [sys.executable, "-P", "program.py", str(self.path), which, str(word), str(lease_s)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=self.folder)
        self.started.append(process)
        eventually(word.exists)
        return process

    def executions(self) -> int:
        """How often a step was executed."""
        file = self.folder / "executed"
        return len(file.read_text()) if file.exists() else 0

    def go(self) -> None:
        """Let what executes end."""
        (self.folder / "go").touch()

    def answer(self, process: subprocess.Popen[str]) -> str:
        """What a program came to."""
        return process.communicate(timeout=60)[0].strip()

    def is_waiting(self) -> bool:
        """Whether two runs go on, so that the one that does not execute has come to wait."""
        with lineal.open(self.path, read_only=True) as store:
            return [run.status for run in store.runs()] == ["running", "running"]


PROBE_WRITE = """
import sys
from pathlib import Path
from lineal.store import open_store
with open_store(Path(sys.argv[1])).exclusively():
    pass
"""


def stop_outside_a_commit(process: subprocess.Popen[str], store: Path) -> None:
    """Stop a process where it does not hold the write lock: nobody could write then, claim or no claim."""
    for _ in range(20):
        process.send_signal(signal.SIGSTOP)
        try:
            subprocess.run([sys.executable, "-P", "-c", PROBE_WRITE, str(store)], timeout=15, check=True)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGCONT)
            time.sleep(0.1)
        else:
            return
    raise AssertionError("it was always in the middle of a commit")


def eventually(is_so: Callable[[], bool]) -> None:
    """Return once something is so."""
    for _ in range(3000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage whose programs end with the test."""
    made = Stage(tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_of_two_processes_that_claim_one_fingerprint_at_once_the_second_hears_who_was_faster(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.blobs.batch() as batch:
        graph = batch.put(b"graph")
        blobs = batch.publish()
    mine, other = RunId.new(), RunId.new()
    stamp = ProcessStamp.current()
    process = facts.Process(stamp.host, stamp.boot, stamp.pid, stamp.start_ticks)
    for run in (mine, other):
        store.append([facts.RunStarted(run, "p", graph, (), None, process, graph)], blobs)
    store.flush()
    fingerprint = Fingerprint(graph)
    append = store.append

    def append_after_the_other(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(store, "append", append)
        assert ended_well([forked(partial(Claims(store, other).attempt, fingerprint, "faster"))])
        return append(*arguments, **options)

    monkeypatch.setattr(store, "append", append_after_the_other)
    assert Claims(store, mine).attempt(fingerprint, "slower") == StepRunId(other, "faster")
    claims = [one for one in store.log.scan() if one.type == facts.FingerprintClaimed.TYPE]
    assert [one.event.by for one in claims] == [other]  # type: ignore[attr-defined]


def test_of_two_processes_that_need_a_result_at_once_one_computes_it_and_the_other_waits(stage: Stage) -> None:
    first, second = stage.start(), stage.start()
    eventually(stage.is_waiting)
    time.sleep(0.3)
    assert stage.executions() == 1
    stage.go()
    answers = sorted([stage.answer(first), stage.answer(second)])
    assert answers == ["('cached', 'result')", "('completed', 'result')"]
    assert stage.executions() == 1
    with lineal.open(stage.path) as store:
        types = [recorded.type for recorded in store.events()]
        # The one that waits may claim it, too, once the other is done: then it finds the result, and ends its claim.
        assert types.count("fingerprint.claimed/1") == types.count("claim.ended/1") <= 2


def test_where_who_computes_is_killed_who_waits_takes_over(stage: Stage) -> None:
    first = stage.start()
    eventually(lambda: stage.executions() == 1)
    second = stage.start()
    eventually(stage.is_waiting)
    first.send_signal(signal.SIGKILL)
    eventually(lambda: stage.executions() == 2)
    stage.go()
    assert stage.answer(second) == "('completed', 'result')"
    with lineal.open(stage.path) as store:
        assert [run.status for run in store.runs()] == ["completed", "interrupted"]


def test_where_who_computes_fails_who_waits_tries_itself(stage: Stage) -> None:
    first = stage.start("two")
    eventually(lambda: stage.executions() == 1)
    second = stage.start("two")
    eventually(stage.is_waiting)
    stage.go()
    assert (stage.answer(first), stage.answer(second)) == ("StepFailed", "('completed', 'result')")


@pytest.mark.parametrize(("which", "diverges"), [("one", False), ("diverging", True)])
def test_who_is_stopped_for_longer_than_its_lease_blocks_nobody_and_both_results_stand(
    stage: Stage, which: str, diverges: bool
) -> None:
    first = stage.start(which, lease_s=1)
    eventually(lambda: stage.executions() == 1)
    stop_outside_a_commit(first, stage.path)
    second = stage.start(which, lease_s=1)
    eventually(lambda: stage.executions() == 2)
    stage.go()
    assert stage.answer(second).startswith("('completed'")
    first.send_signal(signal.SIGCONT)
    assert stage.answer(first).startswith("('completed'")
    with lineal.open(stage.path) as store:
        older, newer = store.run(f"{which}-1"), store.run(f"{which}-2")
        assert [older.status, newer.status] == ["completed", "completed"]
        divergence = older.steps["slow"].divergence
        assert (divergence is not None) is diverges
        if divergence is not None:
            assert divergence.first.id == newer.steps["slow"].id
            (one,) = divergence.differences
            assert (one.first, one.again) == (
                newer.steps["slow"].output.content,
                older.steps["slow"].output.content,
            )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `shared` tells that it executes, and waits for a file: the state of an object would be a cause."""
    monkeypatch.setenv("LINEAL_TEST_FOLDER", str(tmp_path))
    return tmp_path


@step(once=True)
def shared(number: int) -> int:
    """Waits to be let go."""
    folder = Path(os.environ["LINEAL_TEST_FOLDER"])
    with (folder / "executed").open("a") as file:
        file.write("x")
    while not (folder / "go").exists():
        time.sleep(0.005)
    return number


def executions(folder: Path) -> int:
    """How often `shared` was begun."""
    return len((folder / "executed").read_text()) if (folder / "executed").exists() else 0


@step
def doubled(number: int) -> int:
    return number * 2


@pipeline
def sharing(number: int):
    doubled(shared(number))


def test_two_threads_of_a_process_share_one_execution_as_two_processes_do(client: Client, folder: Path) -> None:
    statuses: list[list[str]] = []

    def run() -> None:
        with lineal.open(client.path):
            statuses.append([view.status for view in sharing(3).steps.values()])

    threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(list(client.runs(status="running"))) == 2)
    (folder / "go").touch()
    for thread in threads:
        thread.join(30)
    assert executions(folder) == 1
    assert sorted(first for first, _ in statuses) == ["cached", "completed"]


@step
def pausing(number: int) -> int:
    time.sleep(0.21)
    return number


@step
def quick(number: int) -> int:
    return number


@pipeline
def both(number: int):
    quick(number)
    pausing(number)


def claims_of(client: Client) -> list[facts.FingerprintClaimed]:
    events = [recorded.event for recorded in client.events()]
    return [event for event in events if isinstance(event, facts.FingerprintClaimed)]


def test_a_step_is_claimed_once_it_is_known_to_take_long_and_never_a_quick_one(client: Client) -> None:
    both(1)
    assert claims_of(client) == []
    run = both(2)
    assert [(claim.by, claim.step) for claim in claims_of(client)] == [(run.id, "pausing")]
    both(2)
    both.with_options(cache=False)(3)
    assert len(claims_of(client)) == 1


def test_a_claim_names_its_holder_until_it_ends_and_does_not_outlive_its_run(client: Client, folder: Path) -> None:
    thread = threading.Thread(target=lambda: in_store(client.path, lambda: sharing(5)), daemon=True)
    thread.start()
    eventually(lambda: executions(folder) == 1)
    (claim,) = claims_of(client)
    other = Claims(client.store, RunId.new())
    assert other.attempt(claim.fingerprint, "mine") == StepRunId(claim.by, "shared")
    (folder / "go").touch()
    thread.join(30)
    assert other.attempt(claim.fingerprint, "mine") is None


NESTED = """
import lineal
from lineal import pipeline, step

@step(once=True)
def leaf(x: int) -> int:
    return x + 1

@pipeline
def inner(x: int):
    leaf(x)

@step
def outer(x: int) -> int:
    with lineal.open("store"):
        return inner(x).steps["leaf"].output.load()

@pipeline(executor=("processes", 1))
def enclosing(x: int):
    outer(x)
    leaf(x)
"""


def test_a_step_in_the_only_worker_does_not_wait_for_its_equal_that_is_queued_behind_it(tmp_path: Path) -> None:
    (tmp_path / "nested.py").write_text(NESTED)
    program = "import lineal, nested\nwith lineal.open('store'):\n    print(nested.enclosing(1).status)"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "completed\n", done.stderr


def in_store(path: Path, call: Callable[[], object]) -> None:
    with lineal.open(path):
        call()
