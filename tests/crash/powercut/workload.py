"""A process to be recorded: ``workload.py NAME STORE ACKNOWLEDGED WEAKNESS``."""

from __future__ import annotations

import sys
from pathlib import Path

from powercut.acknowledging import Acknowledge
from powercut.weaknesses import WEAKNESSES
from powercut.workloads import WORKLOADS


def work(name: str, store: Path, acknowledged: Path, *, is_preparing: bool) -> None:
    """Prepare the store, or do with it what is to be recorded."""
    prepare, run = WORKLOADS[name]
    with open(acknowledged, "a", buffering=1, encoding="ascii") as file:
        (prepare if is_preparing else run)(store, Acknowledge(file))


if __name__ == "__main__":
    if weakness := sys.argv[4]:
        WEAKNESSES[weakness]()
    work(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), is_preparing=False)
