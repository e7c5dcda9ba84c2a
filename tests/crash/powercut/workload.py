"""A process to be recorded: ``workload.py NAME STORE ACKNOWLEDGED WEAKNESS prepare|run``."""

from __future__ import annotations

import sys
from pathlib import Path

from powercut.acknowledging import Acknowledge
from powercut.weaknesses import WEAKNESSES
from powercut.workloads import WORKLOADS


def main(name: str, store: Path, acknowledged: Path, weakness: str, phase: str) -> None:
    """Prepare the store, or do with it what is to be recorded."""
    prepare, run = WORKLOADS[name]
    if weakness and phase == "run":
        WEAKNESSES[weakness]()
    with open(acknowledged, "a", buffering=1, encoding="ascii") as file:
        (prepare if phase == "prepare" else run)(store, Acknowledge(file))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], sys.argv[5])
