"""Stopping threads: an error raised in one of them, at its next step in Python, and in none that it is just starting.

A thread that is being started has the ident of the one that starts it until it runs. What is raised by ident then may
end the new one before it has said that it runs, and the other would wait for that for ever. And what is raised while a
finalizer or a weak reference's callback runs gets no further than that, so it has to be raised again.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .replacements import Replacement

_starting = threading.RLock()
"""Held while a thread starts another one, in which errors may be raised."""
_lock = threading.Lock()
_stoppable = 0
_AGAIN = "_lineal_again"
_PAUSE_S = 0.01
"""What is raised before the interpreter has done with what was lost would be lost in the same way."""


def start_guarded(start: Replacement, thread: threading.Thread) -> None:
    """Start a thread by what a replacement stands for; until it runs, nothing is raised in that which starts it."""
    with _starting:
        start.previous(thread)


def raise_in(thread: int, error: type[BaseException], again: Callable[[], object]) -> None:
    """Raise an error in the thread of this ident, at its next step in Python; it must start others guarded.

    Where the error is lost, ``again`` is called from another thread: it raises it once more if it is still due.
    """
    losable = type(error.__name__, (error,), {"__module__": error.__module__, _AGAIN: staticmethod(again)})
    with _starting:
        _LOST.put_in()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(losable))


@contextmanager
def guarded_starts() -> Iterator[None]:
    """Have all threads be started guarded, for as long as one is to be stopped that nothing else guards."""
    global _stoppable
    with _lock:
        pid = os.getpid()
        _stoppable += 1
        _START.put_in()
    try:
        yield
    finally:
        with _lock:
            if pid == os.getpid():  # Else it is a child that was forked inside, where nothing is to be stopped.
                _stoppable -= 1
                if not _stoppable:
                    _START.take_out()


def _renew() -> None:
    global _starting, _lock, _stoppable
    # Whoever held them is not in this process.
    _starting, _lock, _stoppable = threading.RLock(), threading.Lock(), 0
    _START.take_out()


os.register_at_fork(after_in_child=_renew)


def _start(thread: threading.Thread) -> None:
    start_guarded(_START, thread)


def _lose(lost: Any) -> None:
    again = getattr(lost.exc_type, _AGAIN, None)
    if again is None:
        _LOST.previous(lost)
    else:
        start_new_thread(_later, (again,))  # Not a `Thread`: who was interrupted may hold the locks that one needs.


def _later(again: Callable[[], object]) -> None:
    time.sleep(_PAUSE_S)
    again()


_START = Replacement(threading.Thread, "start", _start)
_LOST = Replacement(sys, "unraisablehook", _lose)
