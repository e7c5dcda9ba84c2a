"""Where tests keep stores that live for a moment: in memory, where syncing takes no time."""

from __future__ import annotations

import os
import re
from pathlib import Path

IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A directory to make temporary ones in; None for the usual place."""

_ROOM_BYTES = 4 << 30


def has_room() -> bool:
    """Whether everything that a session's tests write can lie in memory, programs among it.

    A container has 64 MB there unless it is asked for more, and may forbid to execute what lies there.
    """
    if IN_MEMORY is None:
        return False
    found = os.statvfs(IN_MEMORY)
    (available,) = re.findall(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return not found.f_flag & os.ST_NOEXEC and min(found.f_bavail * found.f_frsize, int(available) << 10) >= _ROOM_BYTES
