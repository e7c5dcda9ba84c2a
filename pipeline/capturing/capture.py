"""What a step prints and logs, kept in order while it still shows.

Frames are ``[microseconds since start, stream, text]``, of records ``[…, "log", text, level, logger]``.

What other programs write that the step starts is shown but not kept: their file descriptors are the whole process's, in
which other steps and threads write at the same time. A step keeps it by printing what `subprocess.run` captured.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import get_ident
from typing import Any, TextIO

import msgpack

from ...during import During
from .logged import RECORDS, log_in_force
from .threads import START

Frame = tuple[int, str, str] | tuple[int, str, str, int, str]

LOG_MAX_CHARACTERS = 16 * 1024 * 1024
"""What a step prints beyond this is shown but not kept, and a last frame says so."""

_CUT = "[output cut here]\n"


class _Begun:
    """The frame of a line that does not end yet."""

    __slots__ = ("at_us", "is_overwritten", "is_returned", "pieces")

    def __init__(self, at_us: int) -> None:
        self.at_us = at_us
        self.pieces: list[str] = []
        self.is_overwritten = False
        self.is_returned = False
        """Whether what comes next is written over it, as by a progress bar, unless that ends the line."""


class Log:
    """The frames of one step run; threads may share it.

    A frame goes on until its text ends a line, or its thread writes to the other stream. Of a line that one write after
    the other goes over, the last state is kept, and writing to the other stream does not end it.
    """

    def __init__(self, hear: Callable[[Frame], object] | None = None) -> None:
        """Begin now; ``hear`` is told each frame when it ends."""
        self._frames: list[Frame] = []
        self._begun: dict[tuple[int, str], _Begun] = {}
        """By thread and stream: what threads print at once must not mix."""
        self._hear = hear
        self._start_ns = time.perf_counter_ns()
        self._left = LOG_MAX_CHARACTERS
        self._is_closed = False
        # What is printed by a destructor comes in the midst.
        self._lock = threading.RLock()

    def add(self, stream: str, text: str) -> None:
        """Keep a piece of output."""
        key = get_ident(), stream
        with self._lock:
            if self._is_closed or not text:
                return
            if len(text) > self._left:
                text = self._cut(text)
            self._left -= len(text)
            begun = self._begun.get(key)
            if begun is None:
                if self._begun:
                    self._end_other_streams(key)
                begun = self._begun[key] = _Begun(self._now_us())
            if begun.is_returned or text[0] == "\r":
                text = self._overwritten(begun, text)
            if text:
                begun.pieces.append(text)
                begun.is_returned = text[-1] == "\r"
                if text[-1] == "\n":
                    self._end_line(key)

    def add_record(self, level: int, logger: str, text: str) -> None:
        """Keep a logging record."""
        with self._lock:
            if not self._is_closed:
                if len(text) > self._left:
                    text = self._cut(text)
                self._left -= len(text)
                self._end_frame((self._now_us(), "log", text if text.endswith("\n") else text + "\n", level, logger))

    def close(self) -> None:
        """Keep nothing more: a thread may go on that its step has left behind."""
        with self._lock:
            self._is_closed = True
            for key in list(self._begun):
                self._end_line(key)

    def encoded(self) -> bytes | None:
        """The frames in msgpack; None if there is none."""
        with self._lock:
            for key in list(self._begun):
                self._end_line(key)
            if not self._frames:
                return None
            self._frames.sort(key=lambda frame: frame[0])
            packed: bytes = msgpack.packb(self._frames, unicode_errors="surrogatepass")
            return packed

    def _cut(self, text: str) -> str:
        """As much of a text as is still kept; nothing is after it."""
        self._is_closed = True
        return f"{text[: self._left]}\n{_CUT}"

    def _end_other_streams(self, key: tuple[int, str]) -> None:
        for other in [one for one in self._begun if one[0] == key[0] and one != key]:
            if not self._begun[other].is_overwritten:
                self._end_line(other)

    def _overwritten(self, begun: _Begun, text: str) -> str:
        """Drop what the line was, if a carriage return is followed by something else than the line's end."""
        if text.startswith("\r\n") or text[0] == "\n":
            return text
        new = text.lstrip("\r")
        self._left += len(text) - len(new)
        begun.is_returned = not new
        if new:
            whole = "".join(begun.pieces)
            left = whole[: whole.rfind("\n") + 1]
            self._left += len(whole) - len(left)
            begun.pieces = [left]
            begun.is_overwritten = True
            begun.at_us = self._now_us()
        return new

    def _end_line(self, key: tuple[int, str]) -> None:
        begun = self._begun.pop(key)
        text = "".join(begun.pieces)
        self._end_frame((begun.at_us, key[1], text))

    def _end_frame(self, frame: Frame) -> None:
        self._frames.append(frame)
        if self._hear is not None:
            self._hear(frame)

    def _now_us(self) -> int:
        return (time.perf_counter_ns() - self._start_ns) // 1000


class _Routed(io.TextIOBase):
    """Writes through to a stream and keeps a copy in the log in force; everything else is asked of the stream."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self.stream = stream
        self._name = name

    def write(self, text: str) -> int:
        try:
            return self.stream.write(text) if _write is None else _write(self.stream, text)
        finally:  # Also where Ctrl-C comes as soon as it is shown.
            log = log_in_force.get()
            if log is not None and isinstance(text, str):
                log.add(self._name, text)

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


_write: Callable[[TextIO, str], int] | None = None
_captures = 0
_captures_lock = threading.Lock()


def write_with(write: Callable[[TextIO, str], int] | None) -> None:
    """Let this do what writes to the streams while steps run: who draws on a terminal has to make room for it."""
    global _write
    _write = write


def is_drawn_on() -> bool:
    """Whether somebody draws on the terminal, whom `write_with` has been told of."""
    return _write is not None


def show(name: str, text: str) -> None:
    """Write what a step in another process prints to this one's own ``stdout`` or ``stderr``, as that was."""
    stream = sys.__stderr__ if name == "stderr" else sys.__stdout__
    if stream is not None:
        with suppress(OSError, ValueError):  # Nobody reads it any more; what it says is kept.
            _ = stream.write(text) if _write is None else _write(stream, text)
            stream.flush()


def unrouted(stream: TextIO) -> TextIO:
    """The stream itself, which no step's output is kept of."""
    return stream.stream if isinstance(stream, _Routed) else stream


@contextmanager
def routed() -> Iterator[None]:
    """Be ready to capture: what captures inside need not put everything in its place, and back, each time."""
    _route()
    try:
        yield
    finally:
        _unroute()


class _Captured(During[Log]):
    """A log in force, which ends with the block."""

    __slots__ = ()

    def __enter__(self) -> Log:
        _route()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        try:
            self._value.close()
        finally:
            _unroute()


def captured(log: Log) -> During[Log]:
    """Keep what is printed, logged and warned of inside, while it still goes where it went; the log ends there.

    It takes what this context does, and the threads that are started inside. Several capture side by side, each into
    its own log; the streams are put back when the last one ends.
    """
    return _Captured(log_in_force, log)


def _route() -> None:
    global _captures
    with _captures_lock:
        _captures += 1
        if _captures == 1:
            for replacement in (START, *RECORDS):
                replacement.put_in()
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
        for replacement in (START, *RECORDS):
            replacement.take_out()
        if isinstance(sys.stdout, _Routed):
            sys.stdout = sys.stdout.stream
        if isinstance(sys.stderr, _Routed):
            sys.stderr = sys.stderr.stream
