"""The pool of workers: what dies, what is stopped, what is kept."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute
import pytest

from lineal import Client, pipeline, step
from lineal.cas import digest_of
from lineal.errors import NoStepRunning, StepTimeout, WorkerDied
from lineal.pipeline.workers.line import Line
from lineal.pipeline.workers.pool import Processes, WorkerPool
from lineal.pipeline.workers.warm import WarmPools
from lineal.pipeline.workers.workforce import Terms


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    """A pool of two workers."""
    opened = WorkerPool(Processes(workers=2))
    yield opened
    opened.kill()


def until(is_so: Callable[[], bool]) -> bool:
    """Wait for something, a minute at most."""
    end = time.monotonic() + 60
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)
    return is_so()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):  # The latter where it ends between opening and reading.
        return False


def test_a_worker_that_dies_fails_its_own_call_and_the_pool_goes_on(pool: WorkerPool) -> None:
    neighbour = pool.submit(time.sleep, 0.3)
    died = [pool.submit(os._exit, 3), pool.submit(signal.raise_signal, signal.SIGKILL)]
    after = [pool.submit(divmod, number, 7) for number in range(10)]
    assert neighbour.result(30) is None
    assert [future.result(30) for future in after] == [divmod(number, 7) for number in range(10)]
    errors = [future.exception(30) for future in died]
    assert all(isinstance(error, WorkerDied) for error in errors)
    assert [error.details["signal"] for error in errors if isinstance(error, WorkerDied)] == [None, "SIGKILL"]
    assert "exit code 3" in str(errors[0])
    assert "SIGKILL" in str(errors[1])


def test_what_a_call_raises_is_raised_by_its_future_and_the_worker_stays(pool: WorkerPool) -> None:
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result(30)
    pids = {pool.submit(os.getpid).result(30) for _ in range(4)}
    assert len(pids) == 1


def test_a_call_that_takes_too_long_is_stopped_with_all_that_it_started(pool: WorkerPool, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    code = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    starting = f"import subprocess; subprocess.Popen([{sys.executable!r}, '-c', {code!r}]).wait()"
    future = pool.submit_as(Terms(timeout_s=1.5), exec, starting)
    with pytest.raises(StepTimeout, match=r"longer than 1\.5 s"):
        future.result(30)
    child = int(told.read_text())
    assert until(lambda: not is_running(child))
    assert pool.submit(len, "abc").result(30) == 3


def test_a_call_that_ignores_being_told_to_stop_is_killed(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("lineal.pipeline.workers.pool"), "GRACE_S", 0.2)
    pool.submit(exec, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)").result(30)
    with pytest.raises(StepTimeout):
        pool.submit_as(Terms(timeout_s=0.2), time.sleep, 600).result(30)


def test_the_time_of_a_call_begins_when_its_worker_has_started(pool: WorkerPool) -> None:
    assert pool.submit_as(Terms(timeout_s=0.2), len, "abc").result(30) == 3


def test_a_call_can_be_stopped_before_and_while_it_runs(pool: WorkerPool) -> None:
    running = [pool.submit(time.sleep, 600) for _ in range(2)]
    waiting = pool.submit(time.sleep, 600)
    pool.stop(waiting)
    for future in running:
        pool.stop(future)
    wait([waiting, *running], 30)
    assert waiting.cancelled()
    for future in running:
        with pytest.raises(CancelledError):
            future.result(0)


def test_no_worker_outlives_a_process_that_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, time\n"
        "from lineal.pipeline.workers.pool import Processes, WorkerPool\n"
        "pool = WorkerPool(Processes(workers=2))\n"
        "pids = {pool.submit(os.getpid).result() for _ in range(4)}\n"
        "pool.submit(time.sleep, 600)\n"
        "print(*pids, flush=True)\n"
        "time.sleep(600)\n"
    )
    started = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    pids = [int(pid) for pid in started.stdout.readline().split()]
    started.kill()
    started.communicate()
    assert pids
    assert until(lambda: not any(map(is_running, pids)))


def test_a_nursery_that_dies_is_replaced(pool: WorkerPool) -> None:
    running = pool.submit(time.sleep, 600)
    nursery = pool.submit(os.getppid).result(30)
    os.kill(nursery, signal.SIGKILL)
    with pytest.raises(WorkerDied):
        running.result(30)
    assert until(lambda: pool.submit(os.getppid).result(30) != nursery)


def test_workers_can_be_fresh_interpreters() -> None:
    pool = WorkerPool(Processes(workers=1, start="spawn"))
    assert pool.submit(os.getpid).result(60) != os.getpid()
    pool.shutdown()


def test_what_breaks_by_a_fork_of_this_process_works_in_a_worker(client: Client) -> None:
    """Threads of BLAS, BLAKE3 and Arrow are running here, and a lock of `logging` is held, when workers start."""

    @step(version="1")
    def compute(size: int) -> tuple[float, np.ndarray]:
        import logging

        import numpy
        import pyarrow
        import pyarrow.compute

        logging.getLogger("compute").warning("at work")
        column = pyarrow.chunked_array([pyarrow.array(numpy.arange(size)) for _ in range(4)])
        counted = pyarrow.compute.value_counts(column)
        square = numpy.ones((size, size)) @ numpy.ones((size, size))
        return float(square[0, 0]) + len(counted), numpy.zeros((20 << 20) // 8)

    @pipeline
    def computing() -> None:
        for size in (400, 500):
            compute(size)

    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        root = logging.getLogger()
        for lock in [*(one.lock for one in root.handlers if one.lock is not None), logging._lock]:  # type: ignore[attr-defined]
            lock.acquire()
        held.set()
        done.wait(60)
        for lock in [*(one.lock for one in root.handlers if one.lock is not None), logging._lock]:  # type: ignore[attr-defined]
            lock.release()

    np.ones((500, 500)) @ np.ones((500, 500))
    digest_of(bytes(20 << 20))
    pyarrow.compute.value_counts(pyarrow.chunked_array([pyarrow.array([1]), pyarrow.array([2])]))
    holder = threading.Thread(target=hold)
    pool = WorkerPool(Processes(workers=2))
    holder.start()
    held.wait()
    try:
        run = computing.with_options(executor=pool)()
    finally:
        done.set()
        holder.join()
        pool.shutdown()
    assert [run.steps[name].outputs["output_0"].load() for name in ("compute", "compute_2")] == [800.0, 1000.0]
    assert "at work" in run.steps["compute"].log


def test_a_pool_is_kept_while_its_surroundings_stay_and_ends_when_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    pools, processes = WarmPools(), Processes(workers=1)
    with pools.leased(processes) as pool:
        pid = pool.submit(os.getpid).result(30)
    with pools.leased(processes) as again:
        assert again is pool
        assert again.submit(os.getpid).result(30) == pid
    monkeypatch.setenv("SOMETHING", "else")
    with pools.leased(processes) as other:
        assert other is not pool
        assert other.submit(os.getenv, "SOMETHING").result(30) == "else"
        assert until(lambda: not is_running(pid))
        other.retire()
        assert is_running(other.submit(os.getpid).result(30))


def test_a_pool_that_nobody_uses_ends_after_a_while() -> None:
    with WarmPools().leased(Processes(workers=1, idle_s=0.05)) as pool:
        pid = pool.submit(os.getpid).result(30)
    assert until(lambda: not is_running(pid))


def test_a_child_forked_after_a_pool_has_ended_closes_nothing_but_what_the_pool_had() -> None:
    pools = WarmPools()
    before = set(os.listdir("/proc/self/fd"))
    with pools.leased(Processes(workers=1, idle_s=0.05)) as pool:
        pid = pool.submit(os.getpid).result(30)
        taken = len(set(os.listdir("/proc/self/fd")) - before)
    assert until(lambda: not is_running(pid))
    assert until(lambda: set(os.listdir("/proc/self/fd")) <= before)
    fds = [os.open(os.devnull, os.O_RDONLY) for _ in range(2 * taken)]
    child = os.fork()
    if not child:
        try:
            os._exit(sum(not os.path.exists(f"/proc/self/fd/{fd}") for fd in fds))
        finally:
            os._exit(255)
    _, status = os.waitpid(child, 0)
    for fd in fds:
        os.close(fd)
    assert os.waitstatus_to_exitcode(status) == 0


def test_inputs_are_mapped_by_workers_and_travel_through_no_pipe(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    real = WorkerPool.submit_as

    def weighed(pool: WorkerPool, *args: object) -> Future[object]:
        future = real(pool, *args)  # type: ignore[arg-type]
        sent.extend(len(value) for value in args if isinstance(value, bytes))
        future.add_done_callback(lambda done: sent.append(len(done.result())))
        return future

    @step(version="1")
    def make() -> np.ndarray:
        return np.arange(12_500_000)

    @step(version="1")
    def total(values: np.ndarray) -> tuple[int, str]:
        with open("/proc/self/maps") as maps:
            mapped = [line.split()[-1] for line in maps if "/blobs/" in line]
        return int(values.sum()), ",".join(set(mapped))

    @pipeline
    def large() -> None:
        total(make())

    monkeypatch.setattr(WorkerPool, "submit_as", weighed)
    run = large.with_options(executor=("processes", 1))()
    assert run.steps["total"].outputs["output_0"].load() == 12_500_000 * 12_499_999 // 2
    assert run.steps["total"].outputs["output_1"].load().startswith(str(client.path))
    assert len(sent) == 4
    assert sum(sent) < 40_000


def test_what_a_call_asks_for_fails_with_the_text_of_an_error_that_does_not_pickle(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = "from lineal.pipeline.workers.line import line_in_force\ndef ask():\n    line_in_force().ask('anything')\n"
    (tmp_path / "asks_for_something.py").write_text(asks)
    monkeypatch.syspath_prepend(tmp_path)

    def hear(what: object) -> None:
        raise UnpickledError(what)

    future = pool.submit_as(Terms(hear=hear), import_module("asks_for_something").ask)
    with pytest.raises(RuntimeError, match="UnpickledError: anything"):
        future.result(30)


class UnpickledError(Exception):
    """One that holds what no other process can have."""

    def __init__(self, what: object) -> None:
        super().__init__(what)
        self.lock = threading.Lock()


def test_an_answer_that_nobody_waited_for_is_not_taken_for_that_to_what_is_asked_next() -> None:
    def receive() -> bytes:
        asked.append(len(asked))
        if len(asked) == 1:
            raise KeyboardInterrupt
        return pickle.dumps((True, "the first answer"))

    asked: list[int] = []
    line = Line(lambda message: None, receive)
    with pytest.raises(KeyboardInterrupt):
        line.ask("first")
    with pytest.raises(NoStepRunning):
        line.ask("second")
