"""Eight processes append to one log, and some are killed while the others go on: nothing acknowledged is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import log_writer
import pytest
from powercut.verdict import all_rows

import lineal
from lineal.events.catalogue import RunStarted, StepCompleted, StepStarted, Tagged
from lineal.events.codec import Recorded
from lineal.events.log import GENESIS, chained
from lineal.store import Store, open_store

WRITERS = 8
CRASH = Path(log_writer.__file__).parent


@dataclass
class Seen:
    """The log as read so far, event by event as it grows."""

    store: Store
    seq: int = 0
    chain: bytes = GENESIS
    next_number: dict[int, int] = field(default_factory=dict)
    """By writer, the number that is to come."""
    faults: list[str] = field(default_factory=list)
    _whole: list[tuple[int, int, str]] = field(default_factory=list)
    """Of the events of one number that came so far: writer, number, type."""

    def read_on(self) -> None:
        """Read what was appended since."""
        for seq, value in self.store.log.stored(self.seq):
            self.chain = chained(self.chain, value[32:])
            if seq != self.seq + 1 or value[:32] != self.chain:
                self.faults.append(f"event {seq} does not follow on event {self.seq}")
            self.seq = seq
            self._take(Recorded.read(seq, value[:32], value[32:]))

    def _take(self, recorded: Recorded) -> None:
        event = recorded.event
        match event:
            case StepStarted() | StepCompleted():
                part = int.from_bytes(event.run, "big"), int(event.step[1:]), event.TYPE
            case Tagged():
                writer, number = map(int, event.tags[0].split())
                part = writer, number, event.TYPE
            case _:
                if self._whole:
                    self.faults.append(f"event {recorded.seq} came between those of one append")
                return
        self._whole.append(part)
        if len(self._whole) < log_writer.EACH:
            return
        writer, number = part[:2]
        if self._whole != [(writer, number, one.TYPE) for one in log_writer.numbered(writer, number)]:
            self.faults.append(f"up to event {recorded.seq}, what was appended at once is {self._whole}")
        if number != self.next_number.get(writer, 0):
            self.faults.append(f"writer {writer} has {number} after {self.next_number.get(writer, 0) - 1}")
        self.next_number[writer] = number + 1
        self._whole = []


class Writers:
    """The processes, each with a number that no other ever has."""

    def __init__(self, store: Path, folder: Path, seed: int, weakness: str) -> None:
        self._command = [sys.executable, "-P", str(CRASH / "log_writer.py"), str(store)]
        self._folder = folder
        self._seed = seed
        self._weakness = weakness
        self.begun = 0
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    def begin(self) -> None:
        """Begin one more."""
        self.begun += 1
        arguments = [str(self._told(self.begun)), str(self.begun), str(self._seed + self.begun), self._weakness]
        environment = {**os.environ, "PYTHONPATH": str(CRASH)}
        self.running[self.begun] = subprocess.Popen([*self._command, *arguments], env=environment)

    def await_work(self) -> None:
        """Wait until each writer has said that something is durable."""
        until = time.monotonic() + 60
        while any(self._acknowledged(writer) < 0 for writer in self.running):
            assert time.monotonic() < until
            time.sleep(0.01)

    def _told(self, writer: int) -> Path:
        return self._folder / f"acknowledged-{writer}"

    def kill(self, writer: int) -> int:
        """Kill a writer; give the last number that it said to be durable, or -1."""
        process = self.running.pop(writer)
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
        return self._acknowledged(writer)

    def _acknowledged(self, writer: int) -> int:
        told = self._told(writer)
        return int(told.read_text(encoding="ascii").split()[-1]) if told.exists() and told.stat().st_size else -1


@contextmanager
def writers(store: Path, folder: Path, seed: int, weakness: str) -> Iterator[Writers]:
    """Eight writers, which are ended at the end."""
    made = Writers(store, folder, seed, weakness)
    try:
        for _ in range(WRITERS):
            made.begin()
        yield made
    finally:
        for writer in list(made.running):
            made.kill(writer)


def torture(
    store_path: Path, folder: Path, *, seconds: float, seed: int, weakness: str = "", kills_min: int = 1
) -> tuple[int, list[str]]:
    """Kill and begin writers for a while, longer where the machine is busy; give the number of kills that hit a writer
    at work, and what was wrong."""
    chance = random.Random(seed)
    store = open_store(store_path)
    seen = Seen(store)
    kills = 0
    with writers(store_path, folder, seed, weakness) as at_work:
        at_work.await_work()
        until = time.monotonic() + seconds
        while at_work.running and not seen.faults:
            time.sleep(chance.uniform(0.02, 0.4))
            is_over = time.monotonic() > until and kills >= kills_min
            for writer in chance.sample(sorted(at_work.running), WRITERS if is_over else chance.randint(1, 3)):
                acknowledged = at_work.kill(writer)
                kills += acknowledged >= 0
                seen.read_on()
                if seen.next_number.get(writer, 0) <= acknowledged:
                    seen.faults.append(f"writer {writer} was told that {acknowledged} is durable, and it is lost")
                if not is_over:
                    at_work.begin()
    seen.read_on()
    store.close()
    print(f"{at_work.begun} writers, {kills} killed at work, {seen.seq} events")
    return kills, seen.faults or list(what_is_wrong(store_path))


def what_is_wrong(store_path: Path) -> Iterator[str]:
    """Look at a log that nobody writes to any more."""
    with lineal.open(store_path) as client:
        if not client.verify().is_sound:
            yield "the store is not sound"
        begun = {recorded.stream for recorded in client.events() if recorded.type == RunStarted.TYPE}
        if {run.status for run in client.runs()} != {"interrupted"} or len(list(client.runs())) != len(begun):
            yield "a run of a killed writer does not read as interrupted"
        kept = all_rows(client.store)
        client.rebuild()
        if all_rows(client.store) != kept:
            yield "the projections are not those of a replay"


def test_writers_that_are_killed_lose_nothing_acknowledged_and_do_no_harm_to_others(
    store_path: Path, tmp_path: Path
) -> None:
    kills, faults = torture(store_path, tmp_path, seconds=0.8, seed=1)
    assert faults == []
    assert kills > 0


@pytest.mark.torture
def test_an_acknowledgement_before_the_commit_is_found_out_by_killing(store_path: Path, tmp_path: Path) -> None:
    _, faults = torture(store_path, tmp_path, seconds=20, seed=2, weakness="acknowledged_before_commit")
    assert any("is lost" in fault for fault in faults)


@pytest.mark.torture
def test_a_minute_of_killing_eight_writers_costs_nothing(store_path: Path, tmp_path: Path) -> None:
    kills, faults = torture(store_path, tmp_path, seconds=60, seed=3, kills_min=100)
    assert faults == []
    assert kills >= 100
