"""Children of the process that tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence


def forked(work: Callable[[], object]) -> int:
    """Do something in a forked child, which then ends without clearing up; give its pid.

    By hand: two threads that wait for children of `multiprocessing` at once take them from each other.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def ended_well(children: Sequence[int]) -> bool:
    """Wait for children, and tell whether each one did what it had to."""
    return [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)
