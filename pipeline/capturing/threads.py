"""Threads that a step starts belong to it: they are given what says so, as contexts are not handed on to threads."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any, TypeVar

from ...replacements import Replacement
from ...stopping import start_guarded

T = TypeVar("T")

_inherited: list[ContextVar[Any]] = []


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
    start_guarded(START, thread)


START = Replacement(threading.Thread, "start", _start)
"""To be put in while steps run."""
