"""Stopping threads: an error raised in one of them, at its next step in Python, and in none that it is just starting.

A thread that is being started has the ident of the one that starts it until it runs. What is raised by ident then may
end the new one before it has said that it runs, and the other would wait for that for ever.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .replacements import Replacement

_starting = threading.RLock()
"""Held while a thread starts another one, in which errors may be raised."""
_lock = threading.Lock()
_stoppable = 0


def start_guarded(start: Replacement, thread: threading.Thread) -> None:
    """Start a thread by what a replacement stands for; until it runs, nothing is raised in that which starts it."""
    with _starting:
        start.previous(thread)


def raise_in(thread: int, error: type[BaseException]) -> None:
    """Raise an error in the thread of this ident, at its next step in Python; it must start others guarded."""
    with _starting:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


@contextmanager
def guarded_starts() -> Iterator[None]:
    """Have all threads be started guarded, for as long as one is to be stopped that nothing else guards."""
    global _stoppable
    with _lock:
        _stoppable += 1
        _START.put_in()
    try:
        yield
    finally:
        with _lock:
            _stoppable -= 1
            if not _stoppable:
                _START.take_out()


def _renew() -> None:
    global _starting, _lock, _stoppable
    # Whoever held them is not in this process.
    _starting, _lock, _stoppable = threading.RLock(), threading.Lock(), 0


os.register_at_fork(after_in_child=_renew)


def _start(thread: threading.Thread) -> None:
    start_guarded(_START, thread)


_START = Replacement(threading.Thread, "start", _start)
