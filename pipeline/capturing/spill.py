"""The spill of a worker: what its step has printed so far, in a file that outlives the worker."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress

import msgpack

from .capture import Frame


def new_spill() -> int:
    """A descriptor of a new file without a name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("lineal-log")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Spill:
    """Takes the frames of one step after the other."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._is_empty = True

    def clear(self) -> None:
        """Begin anew, for another step."""
        if not self._is_empty:
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
            self._is_empty = True

    def add(self, frame: Frame) -> None:
        """Take a frame; it is there though the process is killed next."""
        self._is_empty = False
        with suppress(OSError):  # No room: what was printed is still in the log that a step which ends gives.
            os.write(self._fd, msgpack.packb(frame, unicode_errors="surrogatepass"))


def spilled(fd: int) -> bytes | None:
    """What is in a spill, as `capture.Log.encoded` gives it; None if nothing is."""
    unpacker = msgpack.Unpacker(unicode_errors="surrogatepass")
    unpacker.feed(os.pread(fd, os.fstat(fd).st_size, 0))
    frames = sorted(unpacker, key=lambda frame: frame[0])  # A frame that was cut off by the end is left out.
    packed: bytes = msgpack.packb(frames, unicode_errors="surrogatepass")
    return packed if frames else None


_of_this_process: Spill | None = None


def keep_in(fd: int) -> None:
    """Let what steps print in this process be spilled into a file."""
    global _of_this_process
    _of_this_process = Spill(fd)


def of_this_process() -> Spill | None:
    """Where what steps print is spilled; None where it is not."""
    return _of_this_process
