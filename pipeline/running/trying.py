"""Trying: what executes is submitted, and waited for; what an attempt came to is handed on."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from contextlib import suppress
from typing import Any

from ..deciding.preparing import Ready
from ..workers.arrivals import Arrivals
from ..workers.nursery import GRACE_S
from .course import Course
from .interrupts import Interrupts
from .submitting import Submitter

_GRACE_S = GRACE_S + 1
"""How long a run that was interrupted waits for its steps to stop."""


class Trying:
    """The attempts of one run's steps."""

    def __init__(
        self,
        course: Course,
        executor: Executor,
        interrupts: Interrupts,
        finish: Callable[[Ready, Future[Any]], None],
        *,
        allow_pickle: bool,
    ) -> None:
        """Have steps executed, and call ``finish`` with the future of each that is done."""
        self._interrupts = interrupts
        self._finish = finish
        self._arrivals = Arrivals()
        self._arrivals.expect(interrupts.requested)
        self._submitter = Submitter(
            course.store,
            course.plan,
            course.run_id,
            executor,
            allow_pickle=allow_pickle,
            within=course.within,
            hear=course.heard_by.progress,
        )
        self.running: dict[Future[Any], Ready] = {}
        """What is with the executor."""

    def close(self) -> None:
        """Let go of what was needed for it."""
        self._submitter.close()

    def begin(self, ready: Ready) -> None:
        """Begin the next attempt; raises what the step raised that finished at once, if the run is not to go on."""
        ready.attempt += 1
        ready.tried_us = time.time_ns() // 1000
        try:
            self._interrupts.open()
            future = self._submitter.submit(ready, ready.attempt)
        finally:
            self._interrupts.shut()
        if future.done():
            self._finish(ready, future)
        else:
            self.running[future] = ready
            self._arrivals.expect(future)

    def wait(self, pause_s: float | None) -> None:
        """Wait until something that executes is done, or so long, and finish what is."""
        try:
            self._interrupts.open()
            self._interrupts.raise_requested()
            self._arrivals.wait(pause_s)
            self._interrupts.raise_requested()
        finally:
            self._interrupts.shut()
        while (future := self._arrivals.take()) is not None:
            if (ready := self.running.pop(future, None)) is not None:
                self._finish(ready, future)

    def stop(self) -> set[Future[Any]]:
        """Stop what executes, after an interrupt; another one is waited for no longer. Give what has come to an end."""
        for future in self.running:
            self._submitter.stop(future)
        with suppress(KeyboardInterrupt), self._interrupts.opened():
            wait(self.running, _GRACE_S)
        return {future for future in self.running if future.done()}
