"""Threads that execute steps."""

from __future__ import annotations

import threading
import time
from concurrent.futures import wait

import pytest

from lineal.pipeline.capturing.threads import START
from lineal.pipeline.workers.step_threads import StepThreads
from lineal.pipeline.workers.worker import Stopped


def test_no_more_threads_are_started_than_there_is_work_for_and_none_is_waited_for_at_the_end() -> None:
    threads = StepThreads(3)
    idents = {threads.submit(threading.get_ident).result(10) for _ in range(5)}
    barrier = threading.Barrier(3)
    assert all(future.result(10) >= 0 for future in [threads.submit(barrier.wait, 10) for _ in range(3)])
    assert len(idents) == 1
    assert threads.submit(lambda: threading.current_thread().daemon).result(10)
    threads.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        threads.submit(len, "")


def test_what_is_raised_is_in_the_future_and_what_waits_can_be_cancelled() -> None:
    threads = StepThreads(1)
    go_on = threading.Event()
    first, second, third = (
        threads.submit(go_on.wait, 10),
        threads.submit(divmod, 1, 0),
        threads.submit(go_on.wait, 10),
    )
    threads.stop(third)
    go_on.set()
    assert first.result(10)
    with pytest.raises(ZeroDivisionError):
        second.result(10)
    assert third.cancelled()
    threads.shutdown()


def test_a_loop_in_python_can_be_stopped_and_its_thread_goes_on() -> None:
    threads = StepThreads(1)
    begun = threading.Event()

    def loop() -> None:
        begun.set()
        while True:
            time.sleep(0.001)

    future = threads.submit(loop)
    begun.wait(10)
    threads.stop(future)
    with pytest.raises(Stopped):
        future.result(10)
    assert threads.submit(len, "abc").result(10) == 3
    threads.shutdown()


def test_stopping_what_is_about_to_end_harms_no_other_call() -> None:
    threads = StepThreads(2)
    for _ in range(300):
        futures = [threads.submit(len, "abc") for _ in range(4)]
        for future in futures:
            threads.stop(future)
        assert not wait(futures, 10).not_done
    assert threads.submit(len, "abc").result(10) == 3
    threads.shutdown()


def test_one_that_starts_threads_can_be_stopped_and_they_are_not_in_its_place() -> None:
    threads = StepThreads(1)

    def loop(begun: threading.Event) -> None:
        while True:
            begun.set()
            thread = threading.Thread(target=begun.is_set, daemon=True)
            thread.start()
            thread.join()

    START.put_in()
    try:
        for _ in range(300):
            begun = threading.Event()
            future = threads.submit(loop, begun)
            begun.wait(10)
            threads.stop(future)
            with pytest.raises(Stopped):
                future.result(10)
    finally:
        START.take_out()
    threads.shutdown()


def test_one_in_a_finalizer_is_stopped_behind_it_though_what_is_raised_there_is_lost() -> None:
    threads = StepThreads(1)
    begun = threading.Event()

    class Dying:
        def __del__(self) -> None:
            begun.set()
            until = time.monotonic() + 0.5
            while time.monotonic() < until:
                pass

    def loop() -> None:
        while True:
            Dying()
            time.sleep(0.1)

    future = threads.submit(loop)
    begun.wait(10)
    threads.stop(future)
    with pytest.raises(Stopped):
        future.result(10)
    threads.shutdown()
