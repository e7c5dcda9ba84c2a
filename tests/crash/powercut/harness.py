"""Records a workload, and has every state that a power cut may leave of it judged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from powercut.trace import record

_FOLDER = Path(__file__).parent
_MEMORY = Path("/dev/shm")
_JUDGES = 2
_ALONE_UP_TO_STATES = 500
"""So few are opened by one judge: each one goes through the whole recording first."""
STORE = Path("new", "folder", "store")
"""Where the store is below the root of a recording: a creation makes the directories above it too."""


@dataclass(slots=True)
class Outcome:
    """How many states were opened, and what was wrong with some."""

    states: int = 0
    faults: list[str] = field(default_factory=list)


@contextmanager
def recorded(workload: str, weakness: str = "") -> Iterator[Path]:
    """A folder with the trace of a workload, and the store before and after; gone at the end."""
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="powercut-", dir=memory) as folder:
        recording = Path(folder).resolve() / "recording"
        root = recording / "root"
        root.mkdir(parents=True)
        command = [sys.executable, "-P", str(_FOLDER / "workload.py"), workload, str(root / STORE)]
        command += [str(recording / "acknowledged"), weakness]
        subprocess.run([*command, "prepare"], check=True, env=_environment(), cwd=recording)
        shutil.copytree(root, recording / "before")
        shutil.copy(recording / "acknowledged", recording / "acknowledged-before")
        record([*command, "run"], recording / "trace", env=_environment(), cwd=recording)
        yield recording


def judged(recording: Path, *, states: int, seed: int = 0, until_fault: bool = False) -> Outcome:
    """Open the states of a recording, and add up what is wrong.

    Args:
        recording: What `recorded` gave.
        states: About how many.
        seed: Chooses others.
        until_fault: Whether one fault is enough.
    """
    outcome = Outcome()
    enough = Event()
    judges = 1 if states <= _ALONE_UP_TO_STATES else _JUDGES
    with ThreadPoolExecutor(judges) as pool:
        for part in pool.map(
            lambda number: _judge(recording, number, judges, states, seed, until_fault, enough), range(judges)
        ):
            outcome.states += part.states
            outcome.faults += part.faults
    return outcome


def _judge(recording: Path, number: int, of: int, states: int, seed: int, until_fault: bool, enough: Event) -> Outcome:
    """Have one judge's share opened; where a state kills the judge, the next one goes on behind it."""
    outcome = Outcome()
    first = 0
    while not enough.is_set():
        arguments = map(str, (recording, number, of, first, states, seed))
        command = [sys.executable, "-P", str(_FOLDER / "judge.py"), *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as judge:
            assert judge.stdout is not None
            opened = None
            for line in judge.stdout:
                state, *rest = json.loads(line)
                opened = state if not rest else None
                if rest:
                    outcome.states += 1
                    outcome.faults += [f"{rest[0]}: {fault}" for fault in rest[1]]
                if outcome.faults and until_fault:
                    enough.set()
                if enough.is_set():
                    judge.terminate()
                    return outcome
        if opened is None:
            if judge.returncode != 0:
                raise RuntimeError(f"a judge ended with {judge.returncode}")
            return outcome
        outcome.states += 1
        outcome.faults.append(f"state {opened} ended its process with {judge.returncode}")
        first = opened + 1
    return outcome


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(_FOLDER.parent)}
