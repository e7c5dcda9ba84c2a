"""File systems of a test's own."""

from __future__ import annotations

import shutil
import subprocess


def can_mount() -> bool:
    """Whether this process may mount one."""
    probe = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"]
    return (
        shutil.which("unshare") is not None and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    )
