"""A worker: the loop of a process that executes what its pool sends, one call at a time, in its main thread.

Several calls may be sent together. Each has a number, and is begun when that comes on a second socket, which the pool
takes it from in turn if another worker is to have the call.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from ...errors import Conflict
from ..capturing import spill
from .line import Line, portable, put_in_force

READY = b""
"""What a worker says when it has started."""
TURN = struct.Struct("=Q")
"""The number of a job that may be begun."""
RETURNED, RAISED, STALE = "returned", "raised", "stale"
"""What a reply begins with; the value, and how many seconds the call took, follow.

``stale``: a process that has worked before holds what this call can't take.
"""


_count = 0
"""How many calls this process was given."""


def has_worked() -> bool:
    """Whether this is a worker that was given calls before the one that it executes, if any."""
    return _count > 1


class Stopped(BaseException):
    """The pool wants this call to end."""


class _Calls:
    """The calls of this process."""

    def __init__(self, connection: Connection, turns: socket.socket) -> None:
        self._connection = connection
        self._turns = turns
        self._sent: dict[int, tuple[bytes, bool]] = {}
        """By number, what was sent and has not had its turn, and whether somebody listens to it."""
        self._is_calling = False

    def serve(self) -> None:
        """Answer until the pool is gone or says stop."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._stop)
        try:
            self._connection.send_bytes(READY)
            while turn := self._turns.recv(TURN.size):
                data, is_heard = self._next(*TURN.unpack(turn))
                line = Line(self._send_whole, self._connection.recv_bytes) if is_heard else None
                put_in_force(line)
                reply = self._reply(data)
                if line is not None:
                    line.close()
                self._connection.send_bytes(reply)
        except (EOFError, OSError, Stopped):
            return

    def _send_whole(self, message: bytes) -> None:
        """Send what being told to stop must not cut in two."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            self._connection.send_bytes(message)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _next(self, number: int) -> tuple[bytes, bool]:
        """What a job is; those sent before it that have not had their turn were taken back."""
        while number not in self._sent:
            self._sent = pickle.loads(self._connection.recv_bytes())
        return self._sent.pop(number)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self._is_calling:
            os._exit(0)
        self._is_calling = False
        raise Stopped

    def _reply(self, data: bytes) -> bytes:
        global _count
        _count += 1
        begun_s = time.perf_counter()
        try:
            function, args, kwargs = pickle.loads(data)
            value = self._call(function, args, kwargs)
            return pickle.dumps((RETURNED, value, time.perf_counter() - begun_s), pickle.HIGHEST_PROTOCOL)
        except Conflict as error:
            return pickle.dumps((STALE if has_worked() else RAISED, error, time.perf_counter() - begun_s))
        except Exception as error:  # noqa: BLE001 — the future carries it, as the contract of executors says
            return pickle.dumps((RAISED, portable(error), time.perf_counter() - begun_s))

    def _call(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        self._is_calling = True
        try:
            return function(*args, **kwargs)
        finally:
            self._is_calling = False


def main(socket_fd: int, turns_fd: int, log_fd: int) -> None:
    """Work for the pool at the other end of two sockets; what steps print goes to a file that outlives the process."""
    spill.keep_in(log_fd)
    _Calls(Connection(socket_fd), socket.socket(fileno=turns_fd)).serve()
