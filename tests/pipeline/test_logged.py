"""What a step logs and is warned of, and what its threads print."""

from __future__ import annotations

import io
import logging
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgpack
import pytest

from lineal.pipeline.capturing import capture
from lineal.pipeline.capturing.capture import Log, captured

PATCHED = (
    (threading.Thread, "start"),
    (logging.Logger, "isEnabledFor"),
    (logging.Logger, "makeRecord"),
    (logging.Logger, "callHandlers"),
    (warnings, "showwarning"),
)


def frames(log: Log) -> list[Any]:
    """The kept frames without their times."""
    return [frame[1:] for frame in msgpack.unpackb(log.encoded() or b"\x90")]


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger as a program finds it that configures nothing: no handlers, WARNING."""
    logger = logging.getLogger()
    before, level = list(logger.handlers), logger.level
    logger.handlers.clear()
    logger.setLevel(logging.WARNING)
    yield logger
    logger.handlers[:] = before
    logger.setLevel(level)


def test_a_record_keeps_its_level_and_logger_and_is_kept_once(capsys: pytest.CaptureFixture[str]) -> None:
    till = logging.getLogger("shop.till")
    till.propagate = False  # Past the handlers of pytest.
    log = Log()
    with captured(log):
        print("before")
        till.warning("short of %d", 3)
    assert frames(log) == [["stdout", "before\n"], ["log", "short of 3\n", 30, "shop.till"]]
    assert capsys.readouterr().err == "short of 3\n"  # As Python shows it where nothing is configured.


def test_what_only_the_level_of_the_root_hides_is_kept_from_info_up_and_not_shown(root: logging.Logger) -> None:
    shown = io.StringIO()
    root.addHandler(logging.StreamHandler(shown))
    logger = logging.getLogger("shop.stock")
    log = Log()
    with captured(log):
        logger.debug("no")
        logger.info("counted")
        logger.error("lost")
    logger.info("after")
    assert [text for _, text, *_ in frames(log)] == ["counted\n", "lost\n"]
    assert shown.getvalue() == "lost\n"
    assert not logger.isEnabledFor(logging.INFO)


def test_a_level_of_a_loggers_own_and_disabled_logging_are_respected(root: logging.Logger) -> None:
    quiet = logging.getLogger("quiet")
    quiet.setLevel(logging.ERROR)
    log = Log()
    with captured(log):
        logging.getLogger("quiet.child").warning("no")
        logging.disable(logging.INFO)
        try:
            logging.getLogger("loud").info("no")
        finally:
            logging.disable(logging.NOTSET)
    assert frames(log) == []


def test_a_record_handed_to_a_logger_directly_is_shown_whatever_its_level(root: logging.Logger) -> None:
    shown = io.StringIO()
    root.addHandler(logging.StreamHandler(shown))
    log = Log()
    with captured(log):
        logging.getLogger("far").handle(logging.makeLogRecord({"name": "far", "levelno": 20, "msg": "from afar"}))
    assert shown.getvalue() == "from afar\n"
    assert frames(log) == [["log", "from afar\n", 20, "far"]]


def test_a_logged_exception_is_kept_with_its_traceback_and_a_broken_message_as_it_is() -> None:
    broken_till = logging.getLogger("shop.broken")
    broken_till.propagate = False
    broken_till.addHandler(logging.NullHandler())
    log = Log()
    with captured(log):
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            broken_till.exception("divided")
        broken_till.warning("%d pieces", "three")
    (_, text, level, name), broken = frames(log)
    assert text.startswith("divided\nTraceback (most recent call last):\n")
    assert text.endswith("ZeroDivisionError: division by zero\n")
    assert (level, name) == (40, "shop.broken")
    assert broken == ["log", "%d pieces\n", 30, "shop.broken"]


def test_a_warning_is_kept_as_a_record_and_shown_as_ever(
    recwarn: pytest.WarningsRecorder, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: print("shown", message)
        with captured(log):
            warnings.warn("old", DeprecationWarning, stacklevel=1)
    (frame,) = frames(log)
    assert frame[0] == "log"
    assert "DeprecationWarning: old\n" in frame[1]
    assert frame[2:] == [30, "py.warnings"]
    assert capsys.readouterr().out == "shown old\n"


def test_what_threads_of_a_step_print_is_in_its_log_and_not_in_anothers() -> None:
    meeting = threading.Barrier(6)

    def say(text: str) -> None:
        meeting.wait(10)
        for _ in range(50):
            print(text, "and", text)
            time.sleep(0)

    def step(number: int) -> list[str]:
        log = Log()
        with captured(log):
            threads = [threading.Thread(target=say, args=(f"{number}{letter}",)) for letter in "abc"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return sorted(text for _, text in frames(log))

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(step, (1, 2))
    assert first == sorted(f"1{letter} and 1{letter}\n" for letter in "abc" for _ in range(50))
    assert second == sorted(f"2{letter} and 2{letter}\n" for letter in "abc" for _ in range(50))


def test_a_thread_of_a_thread_of_a_pool_in_a_step_belongs_to_it() -> None:
    def inner() -> None:
        logging.getLogger("deep").warning("deep")

    def outer() -> None:
        thread = threading.Thread(target=inner)
        thread.start()
        thread.join()

    log = Log()
    with captured(log), ThreadPoolExecutor(1) as pool:
        pool.submit(outer).result()
    assert [text for _, text, *_ in frames(log)] == ["deep\n"]


def test_a_thread_left_behind_prints_into_no_later_steps_log() -> None:
    may_print, printed = threading.Event(), threading.Event()

    def linger() -> None:
        may_print.wait(10)
        print("late")
        printed.set()

    first, second = Log(), Log()
    with captured(first):
        thread = threading.Thread(target=linger)
        thread.start()
    with captured(second):
        may_print.set()
        printed.wait(10)
        print("mine")
    thread.join()
    assert "run" not in vars(thread)
    assert frames(first) == []
    assert frames(second) == [["stdout", "mine\n"]]


def test_a_threads_own_context_stays_empty() -> None:
    import decimal

    seen: list[int] = []
    with captured(Log()), decimal.localcontext(decimal.Context(prec=3)):
        thread = threading.Thread(target=lambda: seen.append(decimal.getcontext().prec))
        thread.start()
        thread.join()
    assert seen == [decimal.DefaultContext.prec] or getattr(sys.flags, "thread_inherit_context", 0)


def test_what_was_replaced_is_put_back() -> None:
    before = [getattr(owner, name) for owner, name in PATCHED]
    with captured(Log()), captured(Log()):
        inside = [getattr(owner, name) for owner, name in PATCHED]
    assert not set(inside) & set(before)
    assert [getattr(owner, name) for owner, name in PATCHED] == before


def test_who_wraps_a_replaced_function_meanwhile_keeps_it_and_nothing_is_kept_twice(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    before, calls = warnings.showwarning, []
    with captured(Log()):
        ours = warnings.showwarning
        monkeypatch.setattr(
            warnings, "showwarning", lambda message, *rest: (calls.append(message), ours(message, *rest))
        )
        wrapped = warnings.showwarning
    assert warnings.showwarning is wrapped
    warnings.showwarning("between", UserWarning, "x.py", 1)
    with captured(log := Log()):
        warnings.showwarning("inside", UserWarning, "x.py", 2)
    assert [text for _, text, *_ in frames(log)] == ["x.py:2: UserWarning: inside\n"]
    assert calls == ["between", "inside"]
    monkeypatch.undo()
    with captured(Log()):
        pass
    assert warnings.showwarning is before


def test_of_a_line_that_is_written_over_the_last_state_is_kept() -> None:
    log = Log()
    with captured(log):
        for percent in range(0, 101, 10):
            sys.stderr.write(f"\r{percent:3}%|{'#' * (percent // 10):10}|")
            if percent == 50:
                print("half")
        sys.stderr.write("\n")
        for text in ("a\rb\r\n", "10%\r", "20%", "\r", "30%\r", "\n", "one\n\rtwo", "\rthree\n"):
            sys.stdout.write(text)
    assert frames(log) == [
        ["stdout", "half\n"],
        ["stderr", "100%|##########|\n"],
        ["stdout", "a\rb\r\n"],
        ["stdout", "30%\r\n"],
        ["stdout", "one\nthree\n"],
    ]


def test_a_bar_that_is_written_over_for_ever_does_not_use_up_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "LOG_MAX_CHARACTERS", 100)
    log = Log()
    with captured(log):
        for number in range(1000):
            sys.stderr.write(f"\r{number}")
        print("after")
    assert frames(log) == [["stderr", "999"], ["stdout", "after\n"]]
