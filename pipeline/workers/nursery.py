"""The nursery of a pool: the process that starts its workers, hears of their ends, and outlives nobody.

A worker is forked from it, as it holds no thread and nothing of the program that could break by a fork, or is started
as a fresh interpreter. Each worker is a process group of its own: the terminal's Ctrl-C does not reach it, and what its
step has started ends with it. When the pool's process ends, however it does, the nursery ends all workers.

It hears ``(command, pid, signal)`` on its socket, a start with the worker's sockets and log file, and says
``(word, pid, status)``.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress

from ...errors import InvalidPipeline
from ..surroundings.script import importing

MESSAGE = struct.Struct("=iii")
START, SIGNAL = 1, 2
STARTED, ENDED = 1, 2

GRACE_S = 2.0
"""How long a worker that is told to stop has until it is killed."""
_IDLE_S = 0.5
"""When nobody has wanted a worker for so long, there is time to import what later ones may need."""


def command_of(module: str, *arguments: object) -> list[str]:
    """The command of an interpreter that looks for modules where this one does, and calls a module's ``main``."""
    code = (
        "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
        f"from {module} import main; main(*json.loads(sys.argv[2]))"
    )
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    paths = json.dumps([path for path in sys.path if isinstance(path, str)])
    return [sys.executable, *flags, "-c", code, paths, json.dumps(arguments)]


def main(control_fd: int, is_forking: bool, preload: list[str], spare: list[str]) -> None:
    """Serve a pool until it closes its end of the socket; with some modules preloaded at once, others when idle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if is_forking:
        _import(preload)
    Nursery(socket.socket(fileno=control_fd), is_forking, spare if is_forking else []).serve()


def _import(modules: list[str]) -> None:
    for name in modules:
        with suppress(ImportError, InvalidPipeline), importing():  # A worker that needs it says so.
            importlib.import_module(name)


class Nursery:
    """The workers that are alive, and the socket to their pool."""

    def __init__(self, control: socket.socket, is_forking: bool, spare: list[str]) -> None:
        self._control = control
        self._spare = spare
        self._is_forking = is_forking
        self._alive: set[int] = set()
        self._wake_reading, self._wake_writing = os.pipe()
        os.set_blocking(self._wake_reading, False)
        os.set_blocking(self._wake_writing, False)

    def serve(self) -> None:
        """Do what the pool says until it is gone; then end all workers."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_writing, warn_on_full_buffer=False)
        while True:
            pause_s = _IDLE_S if self._spare else None
            readable, _, _ = select.select([self._control.fileno(), self._wake_reading], [], [], pause_s)
            if not readable:
                _import(self._spare)
                self._spare = []
            if self._wake_reading in readable:
                self._reap()
            if self._control.fileno() in readable and not self._obey():
                break
        self._end_all()

    def _obey(self) -> bool:
        try:
            data, fds, _, _ = socket.recv_fds(self._control, MESSAGE.size, 3)
        except ConnectionResetError:
            return False
        if len(data) < MESSAGE.size:
            return False
        command, pid, number = MESSAGE.unpack(data)
        if command == START:
            pid = self._fork(*fds) if self._is_forking else _spawn(*fds)
            self._alive.add(pid)
            for fd in fds:
                os.close(fd)
            self._say(STARTED, pid, 0)
        elif pid in self._alive:
            _signal(pid, number)
        return True

    def _fork(self, socket_fd: int, turns_fd: int, log_fd: int) -> int:
        pid = os.fork()
        if pid:
            with suppress(OSError):  # The child was faster.
                os.setpgid(pid, pid)
            return pid
        code = 1
        try:
            with suppress(OSError):
                os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._control.close()
            os.close(self._wake_reading)
            os.close(self._wake_writing)
            from .worker import main as work

            _reseed()
            work(socket_fd, turns_fd, log_fd)
            code = 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._wake_reading, 4096)
        while self._alive:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in self._alive:
                _signal(pid, signal.SIGKILL)  # What its step has left behind.
                self._alive.discard(pid)
                self._say(ENDED, pid, os.waitstatus_to_exitcode(status))

    def _say(self, word: int, pid: int, status: int) -> None:
        with suppress(OSError):  # A pool that is gone is noticed where it is read from.
            self._control.sendall(MESSAGE.pack(word, pid, status))

    def _end_all(self) -> None:
        for pid in self._alive:
            _signal(pid, signal.SIGTERM)
        until = time.monotonic() + GRACE_S
        while self._alive and time.monotonic() < until:
            self._reap()
            select.select([self._wake_reading], [], [], 0.05)
        for pid in self._alive:
            _signal(pid, signal.SIGKILL)


def _reseed() -> None:
    """Let workers that were forked off one process draw other numbers, as Python's own generator does."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _spawn(*fds: int) -> int:
    command = command_of("lineal.pipeline.workers.worker", *fds)
    started = subprocess.Popen(command, pass_fds=fds, process_group=0)
    started.returncode = 0  # Reaped with the others.
    return started.pid


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
