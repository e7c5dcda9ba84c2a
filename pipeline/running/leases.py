"""Leases: until when other hosts take a run for alive, and the one thread that renews those of this process's runs."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...errors import LinealError
from ...store import now_us

LEASE_S = 60.0
"""How long a lease holds. It is renewed when a third of that is over, so one renewal may be missed."""


def lease_until_us() -> int:
    """When a lease ends that begins now."""
    return now_us() + int(LEASE_S * 1_000_000)


class Renewals:
    """Calls what renews, a third of a lease after the last time, until it is no longer kept.

    Keeping costs a few microseconds, and the process's first one the start of a thread; nothing else happens in what
    takes less than a third of a lease.
    """

    def __init__(self) -> None:
        self._start_over()
        os.register_at_fork(after_in_child=self._start_over)

    def _start_over(self) -> None:
        """Keep nothing: what a parent keeps is the parent's."""
        self._changed = threading.Condition()
        self._due: dict[int, tuple[float, Callable[[], None]]] = {}
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    @contextmanager
    def kept(self, renew: Callable[[], None]) -> Iterator[None]:
        """Have a lease renewed while the block lasts. What fails with a `LinealError` is not tried again."""
        number = next(self._numbers)
        with self._changed:
            self._due[number] = time.monotonic() + LEASE_S / 3, renew
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lineal-leases", daemon=True)
                self._thread.start()
            else:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._due.pop(number, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due:
                    self._changed.wait()
                number, (due, renew) = min(self._due.items(), key=lambda item: item[1][0])
                if (left := due - time.monotonic()) > 0:
                    self._changed.wait(left)
                    continue
            is_renewed = _is_renewed(renew)
            with self._changed:
                if number in self._due and is_renewed:
                    self._due[number] = time.monotonic() + LEASE_S / 3, renew
                elif not is_renewed:
                    self._due.pop(number, None)


def _is_renewed(renew: Callable[[], None]) -> bool:
    try:
        renew()
    except LinealError:
        return False  # The run fails by the same when it records what comes next.
    return True


renewals = Renewals()
"""Those of this process."""
