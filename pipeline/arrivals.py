"""Arrivals: futures as they come to their ends. Waiting costs the same however many are on their way."""

from __future__ import annotations

import math
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

_LOOK_S = 0.2
"""So late a signal is noticed at most: one that comes between the interpreter's last look and its wait wakes nobody."""


class Arrivals:
    """What one run waits for.

    Invariant: an interrupt of the wait loses none, as what has come stays here until `take`.
    """

    def __init__(self) -> None:
        self._come: deque[Future[Any]] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()

    def expect(self, future: Future[Any]) -> None:
        """Wait for this one, too; from any thread."""
        future.add_done_callback(self._note)

    def wait(self, pause_s: float | None) -> None:
        """Return when there is something to take, or after so long."""
        while not self._bell.empty():
            self._bell.get()
        until_s = math.inf if pause_s is None else time.monotonic() + pause_s
        while not self._come and (left_s := until_s - time.monotonic()) > 0:
            with suppress(Empty):
                self._bell.get(timeout=min(left_s, _LOOK_S))

    def take(self) -> Future[Any] | None:
        """The first that has come and was not taken; None if there is none."""
        return self._come.popleft() if self._come else None

    def _note(self, future: Future[Any]) -> None:
        self._come.append(future)
        self._bell.put(None)
