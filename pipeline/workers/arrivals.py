"""Arrivals: futures as they come to their ends. Waiting costs the same however many are on their way."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

_LOOK_S = 0.2
"""So late a signal is noticed at most: one that comes between the interpreter's last look and its wait wakes nobody."""


class Arrivals:
    """What one run waits for.

    Invariant: an interrupt of the wait loses none, as what has come stays here until `take`.
    """

    def __init__(self) -> None:
        self._come: deque[Future[Any]] = deque()
        self._bell = threading.Lock()
        """Held unless something has come since it was last taken."""
        self._bell.acquire()

    def expect(self, future: Future[Any]) -> None:
        """Wait for this one, too; from any thread."""
        future.add_done_callback(self._note)

    def wait(self, pause_s: float | None) -> None:
        """Return when there is something to take, or after so long."""
        until_s = math.inf if pause_s is None else time.monotonic() + pause_s
        while not self._come and (left_s := until_s - time.monotonic()) > 0:
            self._bell.acquire(timeout=min(left_s, _LOOK_S))

    def take(self) -> Future[Any] | None:
        """The first that has come and was not taken; None if there is none."""
        return self._come.popleft() if self._come else None

    def _note(self, future: Future[Any]) -> None:
        self._come.append(future)
        with suppress(RuntimeError):  # It rings already.
            self._bell.release()
