"""What a step prints, kept in order while it still shows: frames ``[microseconds since start, stream, text]``."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

import msgpack

Frame = tuple[int, str, str]

LOG_MAX_CHARACTERS = 16 * 1024 * 1024
"""What a step prints beyond this is shown but not kept, and a last frame says so."""


class Log:
    """The frames of one step run; a frame goes on until its text ends a line, or another stream is written to."""

    def __init__(self) -> None:
        self._frames: list[Frame] = []
        self._begun: tuple[int, str, io.StringIO] | None = None
        """The last frame, where its text does not end a line yet."""
        self._start_ns = time.perf_counter_ns()
        self._left = LOG_MAX_CHARACTERS
        self._is_cut = False
        # Threads that share the context share the log; what is printed by a destructor comes in the midst.
        self._lock = threading.RLock()

    def add(self, stream: str, text: str) -> None:
        """Keep a piece of output."""
        with self._lock:
            if self._is_cut or not text:
                return
            if len(text) > self._left:
                text = text[: self._left] + "\n[output cut here]\n"
                self._is_cut = True
            self._left -= len(text)
            self._keep(stream, text)

    def encoded(self) -> bytes | None:
        """The frames in msgpack; None if there is none."""
        with self._lock:
            self._end_frame()
            if not self._frames:
                return None
            packed: bytes = msgpack.packb(self._frames, unicode_errors="surrogatepass")
            return packed

    def _keep(self, stream: str, text: str) -> None:
        if self._begun is not None and self._begun[1] != stream:
            self._end_frame()
        if self._begun is None:
            at_us = (time.perf_counter_ns() - self._start_ns) // 1000
            if text.endswith("\n"):
                self._frames.append((at_us, stream, text))
                return
            self._begun = (at_us, stream, io.StringIO())
        self._begun[2].write(text)
        if text.endswith("\n"):
            self._end_frame()

    def _end_frame(self) -> None:
        if self._begun is not None:
            at_us, stream, text = self._begun
            self._begun = None
            self._frames.append((at_us, stream, text.getvalue()))


class _Routed(io.TextIOBase):
    """Writes through to a stream and keeps a copy in the log in force; everything else is asked of the stream."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self.stream = stream
        self._name = name

    def write(self, text: str) -> int:
        # First the stream, which refuses what is no text.
        written = self.stream.write(text)
        log = _log_in_force.get()
        if log is not None and isinstance(text, str):
            log.add(self._name, text)
        return written

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

    def __getattr__(self, name: str) -> Any:
        """What only some streams have: ``buffer``, ``reconfigure``, ``name``."""
        if name == "stream":
            raise AttributeError(name)
        return getattr(self.stream, name)


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
        # A program without a console has no streams.
        if sys.stdout is not None and not isinstance(sys.stdout, _Routed):
            sys.stdout = _Routed(sys.stdout, "stdout")
        if sys.stderr is not None and not isinstance(sys.stderr, _Routed):
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
