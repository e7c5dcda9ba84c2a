"""Power cuts need strace, to see what reaches the disk."""

from __future__ import annotations

import subprocess
import sys

import pytest
from powercut.trace import STRACE


@pytest.fixture(scope="session")
def _traceable() -> None:
    """Skip where no process can be traced."""
    if sys.platform != "linux" or STRACE is None:
        pytest.skip("strace is not installed, so the order of writes can't be seen (Debian: apt-get install strace)")
    tried = subprocess.run([STRACE, "--seccomp-bpf", "-f", "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"strace may not trace processes here: {tried.stderr.strip()}")
