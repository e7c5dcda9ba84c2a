"""Where tests keep stores that live for a moment: in memory, where syncing takes no time."""

from __future__ import annotations

import os

IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A directory to make temporary ones in; None for the usual place."""
