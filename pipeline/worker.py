"""A worker: the loop of a process that executes what its pool sends, one call at a time, in its main thread."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from ..errors import Conflict
from . import spill

READY = b""
"""What a worker says when it has started."""
RETURNED, RAISED, STALE = "returned", "raised", "stale"
"""What a reply begins with. ``stale``: a process that has worked before holds what this call can't take."""


class Stopped(BaseException):
    """The pool wants this call to end."""


class _Calls:
    """The calls of this process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_calling = False
        self._count = 0

    def serve(self) -> None:
        """Answer until the pool is gone or says stop."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._stop)
        try:
            self._connection.send_bytes(READY)
            while True:
                data = self._connection.recv_bytes()
                self._connection.send_bytes(self._reply(data))
        except (EOFError, OSError, Stopped):
            return

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self._is_calling:
            os._exit(0)
        self._is_calling = False
        raise Stopped

    def _reply(self, data: bytes) -> bytes:
        self._count += 1
        try:
            function, args, kwargs = pickle.loads(data)
            return pickle.dumps((RETURNED, self._call(function, args, kwargs)), pickle.HIGHEST_PROTOCOL)
        except Conflict as error:
            return pickle.dumps((STALE if self._count > 1 else RAISED, error))
        except Exception as error:  # noqa: BLE001 — the future carries it, as the contract of executors says
            return _carried(error)

    def _call(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        self._is_calling = True
        try:
            return function(*args, **kwargs)
        finally:
            self._is_calling = False


def _carried(error: Exception) -> bytes:
    try:
        data = pickle.dumps((RAISED, error))
        pickle.loads(data)
    except Exception:  # noqa: BLE001 — whatever does not pickle is told by its text
        return pickle.dumps((RAISED, RuntimeError(f"{type(error).__qualname__}: {error}")))
    return data


def main(socket_fd: int, log_fd: int) -> None:
    """Work for the pool at the other end of a socket; what steps print goes to a file that outlives the process."""
    spill.keep_in(log_fd)
    _Calls(Connection(socket_fd)).serve()
