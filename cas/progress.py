"""Progress of what takes long: whoever wants to know says so around the call, and need not be passed through it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

STEP_BYTES = 32 * 1024 * 1024
"""Long writes and reads report at least this often."""
_TOLD_BYTES = 4 * 1024 * 1024
"""And listeners hear of no less, but of the beginning, and of the end where it is known."""


class Progress(NamedTuple):
    """How far something is."""

    stage: str
    """What is going on: saving, loading, verifying the log, verifying, collecting, restoring."""
    done_bytes: int
    total_bytes: int | None
    """None where it can't be known before the end."""


Listener = Callable[[Progress], None]
_listener: ContextVar[Listener | None] = ContextVar("lineal_progress", default=None)


@contextmanager
def reporting(listener: Listener) -> Iterator[None]:
    """Let a function hear of the progress of everything that this thread or task does inside the block.

    It is called from whichever thread does the work, one call at a time; what it raises ends the work.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class Stage:
    """One thing that takes long. Threads may share it; where nobody listens it costs next to nothing."""

    __slots__ = ("_done_bytes", "_heard_bytes", "_listener", "_lock", "_name", "_total_bytes")

    def __init__(self, name: str, total_bytes: int | None = None) -> None:
        """Begin; who listens now will hear of all of it."""
        self._listener = _listener.get()
        self._lock = threading.Lock()
        self._name = name
        self._done_bytes = self._heard_bytes = 0
        self._total_bytes = total_bytes

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return self._listener is not None

    def advance(self, by_bytes: int) -> None:
        """Say that so many more bytes are done."""
        if self._listener is not None:
            with self._lock:
                self._done_bytes += by_bytes
                is_much = self._done_bytes - self._heard_bytes >= _TOLD_BYTES
                if is_much or not self._heard_bytes or self._done_bytes == self._total_bytes:
                    self._heard_bytes = self._done_bytes
                    self._listener(Progress(self._name, self._done_bytes, self._total_bytes))
