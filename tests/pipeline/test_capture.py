"""What a step prints."""

from __future__ import annotations

import io
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgpack
import pytest

from lineal.pipeline.capturing import capture
from lineal.pipeline.capturing.capture import Log, captured


def frames(log: Log) -> list[Any]:
    """The kept frames."""
    encoded = log.encoded()
    assert encoded is not None
    return list(msgpack.unpackb(encoded, unicode_errors="surrogatepass"))


def test_both_streams_are_kept_in_order_and_still_shown(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log()
    with captured(log):
        print("one")
        print("two", file=sys.stderr)
        sys.stdout.write("thrée")
    kept = frames(log)
    assert "".join(text for _, stream, text in kept if stream == "stdout") == "one\nthrée"
    assert [stream for _, stream, _ in kept] == ["stdout", "stderr", "stdout"]
    assert [at for at, _, _ in kept] == sorted(at for at, _, _ in kept)
    shown = capsys.readouterr()
    assert shown.err == "two\n"
    assert shown.out == "one\nthrée"


def test_nothing_printed_is_no_log() -> None:
    log = Log()
    with captured(log):
        pass
    assert log.encoded() is None


def test_the_streams_are_put_back_when_the_step_raises() -> None:
    before = sys.stdout, sys.stderr
    with pytest.raises(ZeroDivisionError), captured(Log()):
        _ = 1 / 0
    assert (sys.stdout, sys.stderr) == before


def test_a_flood_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "LOG_MAX_CHARACTERS", 100)
    log = Log()
    with captured(log):
        for _ in range(50):
            print("x" * 9)
    text = "".join(text for _, _, text in frames(log))
    assert len(text) < 150
    assert text.endswith("[output cut here]\n")


def test_a_captured_stream_still_says_what_it_is() -> None:
    encoding = sys.stdout.encoding
    with captured(Log()), warnings.catch_warnings():
        assert sys.stdout.encoding == encoding
        assert sys.stdout.writable()
        assert not sys.stdout.isatty()


def test_threads_that_print_at_once_keep_each_its_own_log() -> None:
    before = sys.stdout, sys.stderr
    meeting = threading.Barrier(4)

    def work(number: int) -> str:
        log = Log()
        with captured(log):
            meeting.wait(10)
            for _ in range(50):
                print(number)
            meeting.wait(10)
        return "".join(text for _, _, text in frames(log))

    with ThreadPoolExecutor(4) as threads:
        logs = list(threads.map(work, range(4)))
    assert logs == [f"{number}\n" * 50 for number in range(4)]
    assert (sys.stdout, sys.stderr) == before


def test_a_line_written_in_pieces_is_one_frame_and_the_other_stream_begins_another() -> None:
    log = Log()
    with captured(log):
        for _ in range(1000):
            print(".", end="")
        print("!", end="", file=sys.stderr)
        print("a", "b")
        print("c")
    assert [(stream, text) for _, stream, text in frames(log)] == [
        ("stdout", "." * 1000),
        ("stderr", "!"),
        ("stdout", "a b\n"),
        ("stdout", "c\n"),
    ]


def test_many_small_pieces_take_little_more_than_their_characters() -> None:
    log = Log()
    for _ in range(100_000):
        log.add("stdout", ".")
    assert len(log.encoded() or b"") < 100_100


def test_a_log_can_be_encoded_before_its_last_line_ends() -> None:
    log = Log()
    log.add("stdout", "a")
    assert log.encoded() == log.encoded()
    log.add("stdout", "b")
    assert "".join(text for _, _, text in frames(log)) == "ab"


def test_output_of_just_the_length_that_is_kept_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "LOG_MAX_CHARACTERS", 10)
    log = Log()
    for _ in range(5):
        log.add("stdout", "ab")
    assert [text for _, _, text in frames(log)] == ["ab" * 5]
    for _ in range(3):
        log.add("stdout", "c")
    assert [text for _, _, text in frames(log)] == ["ab" * 5, "\n[output cut here]\n"]


def test_what_only_the_stream_has_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    log = Log()
    with captured(log):
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        sys.stdout.buffer.write(b"bytes ")
        sys.stdout.buffer.flush()
        print("é", flush=True)
        with pytest.raises(AttributeError, match="nothing_such"):
            _ = sys.stdout.nothing_such  # type: ignore[attr-defined]
    assert raw.getvalue() == "bytes é\n".encode()
    assert [text for _, _, text in frames(log)] == ["é\n"]


def test_a_program_without_streams_can_be_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    log = Log()
    with captured(log):
        print("nowhere")
        assert sys.stdout is None
    assert log.encoded() is None


def test_what_the_stream_refuses_is_not_kept() -> None:
    log = Log()
    with captured(log):
        with pytest.raises(TypeError):
            sys.stdout.write(b"x")  # type: ignore[arg-type]
        print("after")
    assert [text for _, _, text in frames(log)] == ["after\n"]
