"""Ctrl-C while a run is under way: it comes through where a step executes or the run waits, not between its facts."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from types import FrameType

from ...events.ids import RunId

BURST_S = 0.1
"""Within so long they are one: who starts a program may pass on what the terminal has sent it as well."""


class Interrupts:
    """Takes Ctrl-C for one run, in the main thread and where nobody else takes it.

    One at a time is held back; another one comes through at once. So a run that is being ended, as one has come
    through, waits no longer at the next, and records its end all the same. One that comes through anywhere may leave
    what it cuts short as it is, locks of futures among that; so it is to be pressed, and none that one press has sent.

    Elsewhere it does nothing: Python interrupts the main thread alone, and a handler of the user's is left alone.
    """

    def __init__(self, run: RunId, clock: Callable[[], float] = time.monotonic) -> None:
        """Be ready to take them for a run; the clock counts seconds."""
        self._run = run
        self._clock = clock
        self._came_s = -math.inf
        """When the last one came that was none with another."""
        self._is_held = False
        """Whether one has come that did not come through."""
        self._is_open = False
        self.requested: Future[None] = Future()
        """Done once `request` was called: to be waited for beside what the run waits for."""

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take them inside; one that did not come through by the end does then."""
        _going_on[self._run] = self
        try:
            with self._taken():
                yield
        finally:
            del _going_on[self._run]

    @contextmanager
    def _taken(self) -> Iterator[None]:
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self._take)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._let_through()

    def open(self) -> None:
        """Let them come through until `shut`, as one does that is waiting already."""
        self._is_open = True
        self._let_through()

    def request(self) -> None:
        """Have the run stop as by Ctrl-C when it waits next; from any thread, any number of times."""
        with suppress(InvalidStateError):
            self.requested.set_result(None)

    def raise_requested(self) -> None:
        """Raise `KeyboardInterrupt` if that was called."""
        if self.requested.done():
            raise KeyboardInterrupt

    def shut(self) -> None:
        """Hold them back."""
        self._is_open = False

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Let them come through inside."""
        try:
            self.open()  # It may let one through.
            yield
        finally:
            self.shut()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold them back inside, and let them come through again if they could before."""
        was_open = self._is_open
        self.shut()
        yield
        if was_open:
            self.open()

    def _let_through(self) -> None:
        if self._is_held:
            self._is_held = False
            raise KeyboardInterrupt

    def _take(self, number: int, frame: FrameType | None) -> None:
        now_s = self._clock()
        if now_s - self._came_s < BURST_S:
            return
        self._came_s = now_s
        is_through = self._is_open or self._is_held
        self._is_held = not is_through
        if is_through:
            raise KeyboardInterrupt


_going_on: dict[RunId, Interrupts] = {}
"""Those of the runs of this process."""


def request_stop(run: RunId) -> bool:
    """Have a run of this process stop as by Ctrl-C when it waits next; tell whether it is one that goes on."""
    found = _going_on.get(run)
    if found is not None:
        found.request()
    return found is not None
