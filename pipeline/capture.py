"""What a step prints, kept in order while it still shows: frames ``[microseconds since start, stream, text]``."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


class _Tee(io.TextIOBase):
    """Writes through to a stream and keeps a copy; everything else is asked of the stream."""

    def __init__(self, stream: TextIO, name: str, log: Log) -> None:
        self._stream = stream
        self._name = name
        self._log = log

    def write(self, text: str) -> int:
        self._log.add(self._name, text)
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors


@contextmanager
def captured(log: Log) -> Iterator[None]:
    """Keep what is printed inside, by Python code of this process, while it still goes where it went."""
    stdout, stderr = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Tee(stdout, "stdout", log), _Tee(stderr, "stderr", log)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = stdout, stderr
