"""The environment of a run: Python, platform and installed packages, captured once a process."""

from __future__ import annotations

import os
import platform
import sys
from functools import lru_cache
from pathlib import Path

import msgpack


@lru_cache(maxsize=1)
def captured_environment() -> bytes:
    """A description in msgpack, equal bytes for equal environments. Costs a listing of each folder on the path."""
    described = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu_count": os.cpu_count(),
        "packages": dict(sorted(_installed().items())),
    }
    packed: bytes = msgpack.packb(described)
    return packed


def _installed() -> dict[str, str]:
    """Name and version of each distribution, read off the names of their metadata folders."""
    found: dict[str, str] = {}
    for folder in map(Path, sys.path):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            stem, _, suffix = name.rpartition(".")
            if suffix == "dist-info":
                distribution, _, version = stem.rpartition("-")
                found.setdefault(distribution, version)
    return found
