"""Records a workload, and has every state that a power cut may leave of it judged."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, TextIO

from powercut.judge import Share, judge
from powercut.place import STORE
from powercut.trace import record
from powercut.weaknesses import WEAKNESSES
from powercut.workload import work

_FOLDER = Path(__file__).parent
_MEMORY = Path("/dev/shm")
_JUDGES = 2
_ALONE_UP_TO_STATES = 500
"""So few are opened by one judge: each one goes through the whole recording first."""


@dataclass(slots=True)
class Outcome:
    """How many states were opened, and what was wrong with some."""

    states: int = 0
    faults: list[str] = field(default_factory=list)


@contextmanager
def recorded(workload: str, weakness: str = "") -> Iterator[Path]:
    """A folder with the trace of a workload, and the store before and after; gone at the end."""
    with _folder() as folder:
        recording = folder / "recording"
        root = recording / "root"
        root.mkdir(parents=True)
        command = [sys.executable, "-P", str(_FOLDER / "workload.py"), workload, str(root / STORE)]
        command += [str(recording / "acknowledged"), weakness]
        _prepare(workload, root / STORE, recording / "acknowledged")
        shutil.copytree(root, recording / "before")
        shutil.copy(recording / "acknowledged", recording / "acknowledged-before")
        record(command, recording / "trace", env={**os.environ, "PYTHONPATH": str(_FOLDER.parent)}, cwd=recording)
        yield recording


def performed(workload: str, weakness: str) -> int:
    """Exit code of a process that does a workload with a weakness, and isn't recorded."""
    with _folder() as folder:
        store, acknowledged = folder / "root" / STORE, folder / "acknowledged"
        (folder / "root").mkdir()
        _prepare(workload, store, acknowledged)

        def weakly(_: object) -> None:
            WEAKNESSES[weakness]()
            work(workload, store, acknowledged, is_preparing=False)

        with _forked(weakly) as child:
            child.told.read()
    assert child.code is not None
    return child.code


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


@contextmanager
def _folder() -> Iterator[Path]:
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="powercut-", dir=memory) as folder:
        yield Path(folder).resolve()


def _prepare(workload: str, store: Path, acknowledged: Path) -> None:
    with _forked(lambda _: work(workload, store, acknowledged, is_preparing=True)) as child:
        child.told.read()
    if child.code != 0:
        raise RuntimeError(f"preparing {workload} ended with {child.code}")


def _judge(recording: Path, number: int, of: int, states: int, seed: int, until_fault: bool, enough: Event) -> Outcome:
    """Have one judge's share opened; where a state kills the judge, the next one goes on behind it."""
    outcome = Outcome()
    first = 0
    while not enough.is_set():
        share = Share(number, of, first)
        with _forked(partial(judge, recording, share, states, seed)) as child:
            opened = None
            for line in child.told:
                state, *rest = json.loads(line)
                opened = state if not rest else None
                if rest:
                    outcome.states += 1
                    outcome.faults += [f"{rest[0]}: {fault}" for fault in rest[1]]
                if outcome.faults and until_fault:
                    enough.set()
                if enough.is_set():
                    os.kill(child.pid, signal.SIGKILL)
                    return outcome
        if opened is None:
            if child.code != 0:
                raise RuntimeError(f"a judge ended with {child.code}")
            return outcome
        outcome.states += 1
        outcome.faults.append(f"state {opened} ended its process with {child.code}")
        first = opened + 1
    return outcome


@dataclass(slots=True)
class _Child:
    pid: int
    told: TextIO
    """A line of JSON for each thing that it tells."""
    code: int | None = None
    """What it ended with."""


@contextmanager
def _forked(do: Callable[[Callable[[list[Any]], None]], object]) -> Iterator[_Child]:
    """Do something in a child, which has imported already what it needs; awaits its end."""
    receiving, sending = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            do(lambda told: _write_line(sending, told))
            code = 0
        except BaseException:  # noqa: BLE001 — the code tells the parent
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(sending)
    with os.fdopen(receiving, encoding="utf-8") as pipe:
        child = _Child(pid, pipe)
        try:
            yield child
        finally:
            child.code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _write_line(fd: int, told: list[Any]) -> None:
    with os.fdopen(fd, "w", encoding="utf-8", closefd=False) as pipe:
        pipe.write(json.dumps(told) + "\n")
