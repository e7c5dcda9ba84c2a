"""Which process is this, and is that one still alive: what scratch files and runs are stamped with."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from ..immutable import Immutable

CLOCK_SKEW_US = 30_000_000
"""How far the clocks of hosts may be apart before one takes a live process of another for dead."""

_FIRST_NAMESPACE = "pid:[4026531836]"
"""Linux's PROC_PID_INIT_INO: the namespace of pids that containers are not in."""


class ProcessStamp(Immutable):
    """Names one process for good: a reused pid, a reboot or another machine gives another stamp."""

    host: str
    """Name of the host, and of the namespace of pids where that is not the first one: what pids are told apart in."""
    boot: str
    """Kernel's boot id; empty where the system has none."""
    pid: int
    start_ticks: int
    """Start time in clock ticks since boot; 0 where the system does not tell."""

    @classmethod
    def current(cls) -> ProcessStamp:
        """The stamp of this process, right after a fork too."""
        return _stamp_of(os.getpid())

    def is_alive(self) -> bool:
        """Whether the process still runs; True if it belongs to another host, where this can't be told."""
        here = self.current()
        if self.host != here.host:
            return True
        if self.boot != here.boot:
            return False
        if self.start_ticks:
            return _start_ticks(self.pid) == self.start_ticks
        return _pid_exists(self.pid)

    def is_taken_for_alive(self, lease_until_us: int | None, now_us: int) -> bool:
        """Whether others have to reckon with it: on its own host if it is alive, elsewhere until its lease has run out.

        The lease was written by another clock, so `CLOCK_SKEW_US` is added. Without one, nothing tells on another host.
        """
        if lease_until_us is None or self.is_of_this_host:
            return self.is_alive()
        return now_us < lease_until_us + CLOCK_SKEW_US

    @property
    def is_of_this_host(self) -> bool:
        """Whether this host can tell if it is alive."""
        return self.host == self.current().host

    @property
    def token(self) -> str:
        """The stamp as part of a file name; `from_token` reads it."""
        return f"{self.boot or '-'}.{self.pid}.{self.start_ticks}"

    @classmethod
    def from_token(cls, token: str) -> ProcessStamp | None:
        """Read a token written on this host; None if it is none."""
        boot, _, rest = token.partition(".")
        pid, _, ticks = rest.partition(".")
        if not (boot and pid.isdigit() and ticks.isdigit()):
            return None
        return cls(cls.current().host, "" if boot == "-" else boot, int(pid), int(ticks))


@lru_cache(maxsize=2)
def _stamp_of(pid: int) -> ProcessStamp:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return ProcessStamp(_host(), boot, pid, _start_ticks(pid))


def _host() -> str:
    name = os.uname().nodename
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        return name
    return name if namespace == _FIRST_NAMESPACE else f"{name}/{namespace}"


def _start_ticks(pid: int) -> int:
    """Field 22 of proc(5) ``stat``; the command before it is in parentheses and may hold anything."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    state_is_dead = fields[0] in (b"Z", b"X")
    return -1 if state_is_dead else int(fields[19])


def _pid_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
