"""Ctrl-C while a run is under way: what is recorded, what is stopped, what is said."""

from __future__ import annotations

import contextvars
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

import lineal
from lineal import Client, pipeline, step
from lineal.errors import Conflict
from lineal.events.ids import RunId
from lineal.pipeline.running.interrupts import Interrupts
from lineal.pipeline.workers.nursery import GRACE_S

PROGRAM = r"""
    import os, sys, time
    import lineal
    from lineal import pipeline, step

    @step
    def first() -> int:
        return 1

    @step
    def long(x: int, number: int) -> int:
        print("kept", os.getpid(), file=sys.stderr)
        print(f"begun {os.getpid()}\n", end="", flush=True)  # In one piece, as two steps print at once.
        {body}
        return x

    @pipeline(on_failure=lambda run: print("ended", run.status, flush=True))
    def working():
        x = first()
        for number in range(2):
            long(x, number)

    if __name__ == "__main__":
        with lineal.open("store"):
            working.with_options(executor=sys.argv[1])()
"""
SLEEPS = "time.sleep(600)"
IGNORES = """
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        until = time.monotonic() + 600
        while time.monotonic() < until:
            try:
                time.sleep(600)
            except KeyboardInterrupt:
                pass
"""


class Started:
    """The program, in a group of its own as a shell starts it."""

    def __init__(self, folder: Path, executor: str, body: str, begun: int) -> None:
        (folder / "main.py").write_text(textwrap.dedent(PROGRAM.replace("{body}", body.strip())))
        self.process = subprocess.Popen(
            [sys.executable, "main.py", executor],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        assert self.process.stdout is not None
        self.pids = {int(self.process.stdout.readline().split()[1]) for _ in range(begun)}

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)

    def ended(self, within_s: float) -> tuple[str, str]:
        """What it said from then on."""
        return self.process.communicate(timeout=within_s)


def ends(pid: int) -> bool:
    """Whether a process is gone soon: on a busy machine one that must be killed goes a little later than its run."""
    until = time.monotonic() + 30
    while (is_there := Path(f"/proc/{pid}").exists()) and time.monotonic() < until:
        time.sleep(0.01)
    return not is_there


def recorded(folder: Path) -> tuple[str, set[str]]:
    """Status of the run, and of its long steps."""
    with lineal.open(folder / "store") as store:
        (run,) = store.runs()
        assert run.steps["first"].status == "completed"
        return run.status, {found.status for name, found in run.steps.items() if name != "first"}


def kept(folder: Path) -> set[str]:
    """The first lines of what is kept of attempts that were stopped."""
    with lineal.open(folder / "store") as store:
        (run,) = store.runs()
        stopped = [one for found in run.steps.values() for one in found.attempts if one.status == "cancelled"]
        assert {one.log for one in stopped} == {found.log for found in run.steps.values()} - {""}
        return {one.log.splitlines()[0] for one in stopped}


@pytest.mark.parametrize(("executor", "begun"), [("inline", 1), ("threads", 2), ("processes", 2)])
def test_after_ctrl_c_the_run_and_its_steps_read_cancelled(tmp_path: Path, executor: str, begun: int) -> None:
    started = Started(tmp_path, executor, SLEEPS, begun)
    started.interrupt()
    said, errors = started.ended(30)
    assert started.process.returncode == -signal.SIGINT
    assert said == "ended cancelled\n"
    assert errors.count("Traceback") == 1
    assert errors.rstrip().splitlines()[-2:] == [
        "KeyboardInterrupt",
        "working-1 is recorded as cancelled; `lineal resume working-1` goes on with it.",
    ]
    assert recorded(tmp_path) == ("cancelled", {"cancelled"})
    assert kept(tmp_path) == {f"kept {pid}" for pid in started.pids}
    assert all(map(ends, started.pids))


def took_s_to_end_twice_interrupted(folder: Path) -> float:
    """How long a program lives on whose workers would not stop before they are killed."""
    folder.mkdir()
    started = Started(folder, "processes", IGNORES, 2)
    begun = time.monotonic()
    started.interrupt()
    time.sleep(0.2)
    started.interrupt()
    said, errors = started.ended(60)
    assert said == "ended cancelled\n"
    assert errors.count("Traceback") == 1
    assert recorded(folder) == ("cancelled", {"cancelled"})
    assert kept(folder) == {f"kept {pid}" for pid in started.pids}
    return time.monotonic() - begun


def test_a_second_ctrl_c_waits_for_nothing(tmp_path: Path) -> None:
    # A busy machine may take its time now and then; who waits, for two seconds at least, does so each time.
    assert any(took_s_to_end_twice_interrupted(tmp_path / str(number)) < GRACE_S for number in range(4))


def test_what_was_done_before_ctrl_c_is_reused_after_it(tmp_path: Path) -> None:
    started = Started(tmp_path, "inline", SLEEPS, 1)
    started.interrupt()
    started.ended(30)
    again = Started(tmp_path, "inline", "pass", 2)
    again.ended(30)
    with lineal.open(tmp_path / "store") as store:
        newest = next(store.runs())
        assert newest.status == "completed"
        assert newest.steps["first"].is_cached


def test_no_worker_goes_on_with_a_step_of_a_run_that_was_cancelled(client: Client, tmp_path: Path) -> None:
    told = tmp_path / "pid"

    @step(version="1")
    def lasting(where: str) -> None:
        import os
        import time
        from pathlib import Path

        Path(where).write_text(f"{os.getpid()}\n")
        time.sleep(600)

    @pipeline
    def waiting() -> None:
        lasting(str(told))

    def press() -> None:
        while not told.exists() or not told.read_text().endswith("\n"):
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    pressing = threading.Thread(target=press)
    pressing.start()
    with pytest.raises(KeyboardInterrupt):
        waiting.with_options(executor=("processes", 1))()
    pressing.join()
    (run,) = client.runs()
    assert (run.status, run.steps["lasting"].status) == ("cancelled", "cancelled")
    assert ends(int(told.read_text()))


def test_an_interrupt_comes_through_only_where_it_may() -> None:
    interrupts = Interrupts(RunId.new())
    passed: list[str] = []

    def between_facts() -> None:
        with interrupts.taken():
            signal.raise_signal(signal.SIGINT)
            passed.append("held back")
            interrupts.open()

    with pytest.raises(KeyboardInterrupt):
        between_facts()
    assert passed == ["held back"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def seconds() -> Callable[[], float]:
    """A clock on which a second passes whenever it is looked at."""
    return map(float, count()).__next__


def test_interrupts_of_one_moment_are_one_for_what_waits_and_for_what_does_not() -> None:
    passed: list[str] = []
    interrupts = Interrupts(RunId.new(), lambda: 17.0)
    with interrupts.taken():
        with suppress(KeyboardInterrupt), interrupts.opened():
            signal.raise_signal(signal.SIGINT)
            passed.append("never")
        for _ in range(8):
            signal.raise_signal(signal.SIGINT)
        with interrupts.opened():
            passed.append("waited")
    assert passed == ["waited"]


def test_a_second_interrupt_comes_through_everywhere() -> None:
    passed: list[str] = []

    def impatient() -> None:
        with Interrupts(RunId.new(), seconds()).taken():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            passed.append("held back")

    with pytest.raises(KeyboardInterrupt):
        impatient()
    assert passed == []


def test_after_one_has_come_through_another_is_held_back_until_the_next_but_cuts_waits_short() -> None:
    passed: list[str] = []

    def ending() -> None:
        interrupts = Interrupts(RunId.new(), seconds())
        with interrupts.taken():
            with suppress(KeyboardInterrupt), interrupts.opened():
                signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            passed.append("held back")
            with suppress(KeyboardInterrupt), interrupts.opened():
                passed.append("waited")
            signal.raise_signal(signal.SIGINT)
            passed.append("held back")
            signal.raise_signal(signal.SIGINT)
            passed.append("never")

    with pytest.raises(KeyboardInterrupt):
        ending()
    assert passed == ["held back", "held back"]


def test_one_that_did_not_come_through_does_at_the_end() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts(RunId.new()).taken():
        signal.raise_signal(signal.SIGINT)


def test_who_takes_interrupts_already_keeps_them_and_other_threads_take_none() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with Interrupts(RunId.new()).taken():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]

    def elsewhere() -> None:
        with Interrupts(RunId.new()).taken():
            heard.append(signal.getsignal(signal.SIGINT) is signal.default_int_handler)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert heard == [signal.SIGINT, True]


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_run_of_this_process_can_be_cancelled_from_another_thread(
    client: Client, tmp_path: Path, executor: str
) -> None:
    @step(version="1")
    def waiting(begun: str) -> None:
        from pathlib import Path
        from time import sleep

        Path(begun).touch()
        while True:
            sleep(0.01)

    @pipeline(executor=executor)
    def endless() -> None:
        waiting(str(tmp_path / "begun"))

    with ThreadPoolExecutor(1) as thread:
        ended = thread.submit(contextvars.copy_context().run, endless)
        until = time.monotonic() + 30
        while not (tmp_path / "begun").exists() and time.monotonic() < until:
            time.sleep(0.01)
        assert client.cancel("endless-1").status == "cancelled"
        assert isinstance(ended.exception(30), KeyboardInterrupt)
    with pytest.raises(Conflict, match="not running"):
        client.cancel(next(client.runs()))


def test_a_step_can_have_its_own_run_cancelled(client: Client) -> None:
    @step(version="1")
    def giving_up() -> None:
        client.cancel(lineal.context().run_id)

    @step(version="1")
    def never() -> None:
        raise AssertionError

    @pipeline(executor=("threads", 1))
    def hopeless() -> None:
        never.after(giving_up())()

    with pytest.raises(KeyboardInterrupt):
        hopeless()
    assert next(client.runs()).status == "cancelled"
