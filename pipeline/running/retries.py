"""Retries: what is tried again in a while after an attempt that failed."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Iterator

from ..deciding.preparing import Ready
from ..executing.task import Result


class Retries:
    """Those of one run, on the clock of `time.monotonic`."""

    def __init__(self) -> None:
        """None yet."""
        self._waiting: list[tuple[float, int, Ready, Result]] = []
        self._numbers = itertools.count()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __iter__(self) -> Iterator[tuple[Ready, Result]]:
        """What waits, and what its last attempt came to."""
        return ((ready, result) for _, _, ready, result in self._waiting)

    def add(self, ready: Ready, result: Result, delay_s: float) -> None:
        """Let one wait for so long."""
        heapq.heappush(self._waiting, (time.monotonic() + delay_s, next(self._numbers), ready, result))

    def take_due(self) -> Iterator[Ready]:
        """What has waited long enough; it waits no more."""
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            yield heapq.heappop(self._waiting)[2]

    def pause_s(self) -> float:
        """How long until the next one has, where one waits."""
        return max(0.0, self._waiting[0][0] - time.monotonic())
