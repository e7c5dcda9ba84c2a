"""The line from a call in a worker to who gave it: the call tells things while it goes on, and asks for some.

Invariant: whatever thread of the call uses it, messages are whole and in order; and none is sent when the call is over.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from typing import Any

from ...errors import NoStepRunning

TOLD, ASKED = "told", "asked"
"""What a message begins with; the first word of a reply is another."""


class Line:
    """One call's line. Threads may share it; a forked child has none."""

    def __init__(self, send: Callable[[bytes], None], receive: Callable[[], bytes]) -> None:
        """Begin; messages are sent and answers received so."""
        self._send = send
        self._receive = receive
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._is_open = True

    def tell(self, what: Any) -> bool:
        """Let it be known; False after the call's end, or in another process: then it is not."""
        if os.getpid() != self._pid:
            return False
        with self._lock:
            if self._is_open:
                self._send(pickle.dumps((TOLD, what, 0.0), pickle.HIGHEST_PROTOCOL))
            return self._is_open

    def ask(self, what: Any) -> Any:
        """Have something done, and give what came of it. Raises what that raised, and `NoStepRunning` after the end."""
        if os.getpid() != self._pid:
            raise NoStepRunning(
                "a process that a step has forked can't write to its run's store", hint="Let the step itself do it."
            )
        with self._lock:
            if not self._is_open:
                raise NoStepRunning("the step has ended", hint="Wait for the threads that it starts before it returns.")
            asked = pickle.dumps((ASKED, what, 0.0), pickle.HIGHEST_PROTOCOL)
            self._is_open = False  # Who is stopped meanwhile leaves an answer there, which is not that to the next one.
            try:
                self._send(asked)
                received = self._receive()
            except NoStepRunning:  # Nobody is there, and nothing was left.
                self._is_open = True
                raise
            self._is_open = True
        is_well, answer = pickle.loads(received)
        if not is_well:
            raise answer
        return answer

    def close(self) -> None:
        """End it, once what is under way is done."""
        with self._lock:
            self._is_open = False


def portable(error: Exception) -> Exception:
    """What another process can be told of an error: itself, or its text where it does not pickle."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 — whatever it raises while it pickles
        return RuntimeError(f"{type(error).__qualname__}: {error}")
    return error


_in_force: Line | None = None


def put_in_force(line: Line | None) -> None:
    """Let what this process executes from now on use a line, or none."""
    global _in_force
    _in_force = line


def line_in_force() -> Line | None:
    """The line of the call that this process executes; None if nobody listens."""
    return _in_force
