"""Flights: what executes in this process by now, so that runs of several threads don't compute the same at once.

Across processes, claims do that; they cost a commit each.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from pathlib import Path

from ...events.committer import Ticket
from ...events.ids import Fingerprint

_Key = tuple[str, Fingerprint]


class _Sky:
    """Who computes what, in all runs of this process."""

    def __init__(self) -> None:
        self._start_over()
        os.register_at_fork(after_in_child=self._start_over)

    def _start_over(self) -> None:
        self.lock = threading.Lock()
        self.holders: dict[_Key, Flights] = {}
        self.landed = 0


_sky = _Sky()


class Flights:
    """Those of one run, for its thread alone. One is over when what it came to is committed, for others to find."""

    def __init__(self, store: Path, within: int = 0) -> None:
        """Begin with none; ``within`` is in the steps of how many runs, one inside the other, this one was begun."""
        self._store = str(store)
        self._within = within
        self._thread = threading.get_ident()
        self._mine: set[_Key] = set()
        self._landing: deque[tuple[Ticket, _Key]] = deque()

    @property
    def landed(self) -> int:
        """How many flights were over by now, of all runs of this process."""
        return _sky.landed

    def take(self, fingerprint: Fingerprint) -> bool:
        """Begin a flight; False if another step is at it, of this run or of one in another thread."""
        key = self._store, fingerprint
        with _sky.lock:
            holder = _sky.holders.get(key)
            if holder is None:
                _sky.holders[key] = self
                self._mine.add(key)
                return True
        # What a run outside this one has in flight may stand in a queue behind the step that this one was begun in; and
        # a run whose hook began this one in its thread can't go on before this one has ended.
        return holder is not self and (holder._within < self._within or holder._thread == self._thread)

    def end(self, fingerprint: Fingerprint, ticket: Ticket | None = None) -> None:
        """End a flight; with a ticket, once that is committed."""
        key = self._store, fingerprint
        if ticket is None:
            self._forget(key)
        else:
            self._landing.append((ticket, key))
            self.land()

    def land(self) -> None:
        """End those whose tickets are committed by now."""
        while self._landing and self._landing[0][0].done:
            self._forget(self._landing.popleft()[1])

    def close(self) -> None:
        """End all that is left."""
        for key in list(self._mine):
            self._forget(key)

    def _forget(self, key: _Key) -> None:
        if key in self._mine:
            self._mine.discard(key)
            with _sky.lock:
                del _sky.holders[key]
                _sky.landed += 1
