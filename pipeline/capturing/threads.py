"""Threads that a step starts belong to it: they are given what says so, as contexts are not handed on to threads."""

from __future__ import annotations

import ctypes
import os
import threading
from contextvars import ContextVar
from typing import Any, TypeVar

from .replacements import Replacement

T = TypeVar("T")

_inherited: list[ContextVar[Any]] = []
_starting = threading.RLock()
"""Held while a thread of a step starts another one: until that one runs, it has the starting thread's ident."""


def inherited(variable: ContextVar[T]) -> ContextVar[T]:
    """Have threads that are started while steps run begin with the value that this has where they are started.

    The rest of their context is as empty as ever: a step's threads must compute what they would compute without us.
    """
    _inherited.append(variable)
    return variable


def _start(thread: threading.Thread) -> None:
    values = [variable.get(None) for variable in _inherited]
    if any(value is not None for value in values):
        run = thread.run

        def run_with_them() -> None:
            thread.__dict__.pop("run", None)  # It holds the step's log for as long as somebody holds the thread.
            for variable, value in zip(_inherited, values, strict=True):
                variable.set(value)
            run()

        thread.run = run_with_them  # type: ignore[method-assign]
    with _starting:
        START.previous(thread)


def raise_in(thread: int, error: type[BaseException]) -> None:
    """Raise an error in the step's thread of this ident, at its next step in Python, and in none that it starts."""
    with _starting:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def _renew() -> None:
    global _starting
    _starting = threading.RLock()  # Whoever held it is not in this process.


os.register_at_fork(after_in_child=_renew)

START = Replacement(threading.Thread, "start", _start)
"""To be put in while steps run."""
