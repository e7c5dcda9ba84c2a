"""What a step prints, kept in order while it still shows: frames ``[microseconds since start, stream, text]``."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

import msgpack

Frame = tuple[int, str, str]

LOG_MAX_CHARACTERS = 16 * 1024 * 1024
"""What a step prints beyond this is shown but not kept, and a last frame says so."""


class Log:
    """The frames of one step run."""

    def __init__(self) -> None:
        self._frames: list[Frame] = []
        self._start_ns = time.perf_counter_ns()
        self._left = LOG_MAX_CHARACTERS

    def add(self, stream: str, text: str) -> None:
        """Keep a piece of output."""
        if self._left <= 0 or not text:
            return
        self._left -= len(text)
        if self._left <= 0:
            text = text[: self._left or None] + "\n[output cut here]\n"
        self._frames.append(((time.perf_counter_ns() - self._start_ns) // 1000, stream, text))

    def encoded(self) -> bytes | None:
        """The frames in msgpack; None if there is none."""
        if not self._frames:
            return None
        packed: bytes = msgpack.packb(self._frames, unicode_errors="surrogatepass")
        return packed


class _Routed(io.TextIOBase):
    """Writes through to a stream and keeps a copy in the log in force; everything else is asked of the stream."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self.stream = stream
        self._name = name

    def write(self, text: str) -> int:
        log = _log_in_force.get()
        if log is not None:
            log.add(self._name, text)
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.stream.errors


_log_in_force: ContextVar[Log | None] = ContextVar("lineal_log", default=None)
_captures = 0
_captures_lock = threading.Lock()


@contextmanager
def captured(log: Log) -> Iterator[None]:
    """Keep what is printed inside, by Python code of this thread, while it still goes where it went.

    Threads capture side by side, each into its own log; the streams are put back when the last one ends.
    """
    _route()
    token = _log_in_force.set(log)
    try:
        yield
    finally:
        _log_in_force.reset(token)
        _unroute()


def _route() -> None:
    global _captures
    with _captures_lock:
        _captures += 1
        if not isinstance(sys.stdout, _Routed):
            sys.stdout = _Routed(sys.stdout, "stdout")
        if not isinstance(sys.stderr, _Routed):
            sys.stderr = _Routed(sys.stderr, "stderr")


def _unroute() -> None:
    global _captures
    with _captures_lock:
        _captures -= 1
        if _captures:
            return
        if isinstance(sys.stdout, _Routed):
            sys.stdout = sys.stdout.stream
        if isinstance(sys.stderr, _Routed):
            sys.stderr = sys.stderr.stream
