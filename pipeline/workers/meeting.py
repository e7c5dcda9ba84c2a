"""Meeting points: where calls in processes of an executor that is not ours reach the process that they are made for.

Such an executor carries arguments and results alone. So the process of the run listens at a socket of the file system,
in a directory that only its user may enter, and a call connects when it has something to tell or ask.
"""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import tempfile
import threading
from contextlib import suppress
from contextvars import copy_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ...errors import LinealError, NoStepRunning
from .line import ASKED, Line, portable
from .workforce import Hear

_ADDRESS_MAX_BYTES = 100
"""A little less than what the address of such a socket may take (unix(7))."""

_here: dict[str, MeetingPoint] = {}
"""Those of this process, by address."""


class MeetingPoint:
    """One that this process keeps, until `close`. Cost: a thread, and another for each process that has called."""

    def __init__(self, hear: Hear) -> None:
        """Begin; what calls tell and ask is heard in the context of who begins it, and answered from other threads."""
        self._hear = hear
        self._context = copy_context()
        self._socket = socket.socket(socket.AF_UNIX)
        self._directory, self.address = _new_address()
        self._socket.bind(self.address)
        self._socket.listen(128)
        self._connections: set[Connection] = set()
        self._is_open = True
        _here[self.address] = self
        threading.Thread(target=self._accept, name="lineal-meeting", daemon=True).start()

    def close(self) -> None:
        """Answer no more: who asks later is told that the run has ended."""
        self._is_open = False
        del _here[self.address]
        with suppress(OSError), socket.socket(socket.AF_UNIX) as waking:
            waking.connect(self.address)
        shutil.rmtree(self._directory, ignore_errors=True)

    def abandon(self) -> None:
        """Let go of it in a forked child: who waits for its parent must see that die."""
        self._socket.close()
        for connection in self._connections:
            connection.close()

    def _accept(self) -> None:
        with self._socket:
            while self._is_open:
                accepted, _ = self._socket.accept()
                connection = Connection(accepted.detach())
                self._connections.add(connection)
                threading.Thread(target=self._serve, args=[connection], name="lineal-answers", daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        with suppress(EOFError, OSError), connection:
            while True:
                word, what, _ = pickle.loads(connection.recv_bytes())
                answer = self._answer(what)
                if word == ASKED:
                    connection.send_bytes(answer)
        self._connections.discard(connection)

    def _answer(self, what: Any) -> bytes:
        try:
            if not self._is_open:
                raise NoStepRunning("the run has ended", hint="Let a step end before its run does.")
            return pickle.dumps((True, self._context.copy().run(self._hear, what)))
        except Exception as error:  # noqa: BLE001 — it is the call's that asked
            return pickle.dumps((False, portable(error)))


def is_of_this_process(address: str) -> bool:
    """Whether this process is the one that is met there."""
    return address in _here


class LineTo(Line):
    """A line to a meeting point, which connects when it is used; calls of one process may share it."""

    def __init__(self, address: str) -> None:
        """Be about this one."""
        super().__init__(self._send_to, self._receive_from)
        self._address = address
        self._connection: Connection | None = None

    def close(self) -> None:
        """End it, and let go of the connection."""
        super().close()
        if self._connection is not None:
            self._connection.close()

    def _send_to(self, message: bytes) -> None:
        try:
            if self._connection is None:
                with socket.socket(socket.AF_UNIX) as calling:
                    calling.connect(self._address)
                    self._connection = Connection(calling.detach())
            self._connection.send_bytes(message)
        except OSError as error:
            raise _unreachable() from error

    def _receive_from(self) -> bytes:
        assert self._connection is not None
        try:
            return self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise _unreachable() from error


def _unreachable() -> LinealError:
    return NoStepRunning(
        "the process of the step's run, which commits what the step writes to the store, can't be reached from here",
        hint="Has it ended? Else let the executor have its processes on the machine where the pipeline was called.",
    )


def _new_address() -> tuple[Path, str]:
    """A directory of its own, and a path in there that is short enough."""
    place = tempfile.gettempdir()
    if len(os.fsencode(place)) > _ADDRESS_MAX_BYTES - 32:
        place = "/tmp"
    directory = Path(tempfile.mkdtemp(prefix="lineal-", dir=place))
    return directory, str(directory / "run")


def _abandon_in_child() -> None:
    for point in list(_here.values()):
        point.abandon()
    _here.clear()


os.register_at_fork(after_in_child=_abandon_in_child)
