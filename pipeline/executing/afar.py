"""Afar: a call in a process of an executor that is not ours. The process of its run commits what it submits.

Invariant: while such calls go on in a process, it writes nothing to the log of their run's store.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ...errors import NoStepRunning
from ...events.elsewhere import Commit, committed_elsewhere
from ...store import flush_opened
from ..workers.meeting import LineTo, is_of_this_process
from .reports import Facts, OfStep, Progressed


class _Reached(NamedTuple):
    """A meeting point that calls of this process reach, all by one line: one may have sent what another submitted."""

    line: LineTo
    commit: Commit
    calls: int


_lock = threading.Lock()
_reached: dict[str, _Reached] = {}
"""By address."""


class LineOfStep:
    """What a step afar tells through the line that its process shares."""

    def __init__(self, line: LineTo, step: str) -> None:
        """Be about this one."""
        self._line = line
        self._step = step

    def tell(self, progressed: Progressed) -> bool:
        """Let it be known how far the step is; False where nobody hears it."""
        with suppress(NoStepRunning):
            return self._line.tell(OfStep(self._step, progressed))
        return False


@contextmanager
def called_from(address: str, store: Path, step: str) -> Iterator[LineOfStep | None]:
    """Have it committed by the process that is met there what a step submits inside; all is durable at the end.

    Nothing is to be done where that is this process itself.
    """
    if is_of_this_process(address):
        yield None
        return
    reached = _joined(address)
    try:
        with committed_elsewhere(store, reached.commit):
            try:
                yield LineOfStep(reached.line, step)
            finally:
                flush_opened(store)
    finally:
        _left(address)


def _joined(address: str) -> _Reached:
    with _lock:
        found = _reached.get(address)
        if found is None:
            line = LineTo(address)
            found = _Reached(line, lambda submissions: line.ask(OfStep("", Facts(submissions))), 0)
        _reached[address] = found._replace(calls=found.calls + 1)
        return found


def _left(address: str) -> None:
    with _lock:
        found = _reached.pop(address)
        if found.calls > 1:
            _reached[address] = found._replace(calls=found.calls - 1)
            return
    found.line.close()


def _start_over_in_child() -> None:
    global _lock
    _lock = threading.Lock()
    _reached.clear()


os.register_at_fork(after_in_child=_start_over_in_child)
