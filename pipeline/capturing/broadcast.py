"""Broadcasting: what steps print is put where other processes can read it while the run goes on."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgpack

from .capture import Frame

LIVE_MAX_BYTES = 64 * 1024 * 1024
"""What a process puts there of one run beyond this is not to be had before its step has ended."""

Hear = Callable[[int, Frame], object]
"""Hears when the step began, in microseconds, and what it prints."""


class Broadcast:
    """The file of one run, as `history.live_logs` reads it. Threads and processes may write it at once."""

    def __init__(self, path: Path) -> None:
        """Write here; the file is made when there is something to write."""
        self.path = path
        self._fd: int | None = None
        self._left_bytes = LIVE_MAX_BYTES

    def of(self, step: str, attempt: int) -> Hear:
        """What hears one attempt of a step."""

        def hear(started_us: int, frame: Frame) -> None:
            packed = msgpack.packb((step, attempt, started_us, *frame), unicode_errors="surrogatepass")
            self._left_bytes -= len(packed)
            if self._left_bytes >= 0:
                with suppress(OSError):  # No room: what was printed is in the log that the step's end gives.
                    os.write(self._open(), packed)

        return hear

    def _open(self) -> int:
        if self._fd is None:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._fd

    def close(self) -> None:
        """Let go of the file."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def end(self) -> None:
        """Remove the file, as the run has ended."""
        self.close()
        with suppress(OSError):  # Then whoever opens the store once this process is dead clears it.
            self.path.unlink(missing_ok=True)
