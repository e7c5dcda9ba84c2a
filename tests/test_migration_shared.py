"""A store of an older format and several processes: who opens it at once, has it open, or waits for it meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import lmdb
import pytest
from old_stores import SMALL, changed, check, contents

import lineal
from lineal.cas import Environment
from lineal.cas.locks import only_creator, only_user
from lineal.directory import open_environment
from lineal.errors import Conflict, StoreBroken

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def old(golden: Callable[[int], Path]) -> Path:
    """A store of format 1."""
    return golden(1)


def open_raw(path: str, told: Connection) -> None:
    """Hold the log open as an older process would, commit when told, and end."""
    environment = lmdb.open(f"{path}/log", map_size=1 << 30, max_dbs=64)
    told.send("open")
    told.recv()
    place = environment.open_db(b"of-another", create=True)
    with environment.begin(write=True) as txn:
        txn.put(b"committed", b"meanwhile", db=place)
    environment.close()
    told.send("done")


def open_store(path: str, told: Connection) -> None:
    """Open the store as today's processes do, and tell what is in it."""
    with lineal.open(path) as client:
        told.send(client.load("small"))


@pytest.fixture
def started() -> Iterator[Callable[[Any, Path], Connection]]:
    """Starts processes that talk, and sees to it that they end."""
    children: list[Any] = []

    def start(target: Any, path: Path) -> Connection:
        mine, its = FORK.Pipe()
        child = FORK.Process(target=target, args=(str(path), its), daemon=True)
        child.start()
        children.append(child)
        return mine

    yield start
    for child in children:
        child.join(30)
        assert child.exitcode == 0


def until_blocked(process: subprocess.Popen[str]) -> None:
    """Wait until a process waits for a lock, which it must before it ends."""
    while process.poll() is None:
        waiting = [line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
        if any(str(process.pid) in fields for fields in waiting):
            return
    raise AssertionError("it did not wait")


def test_processes_that_open_it_at_once_migrate_it_once(old: Path, started: Any) -> None:
    before = (old / "log" / "data.mdb").read_bytes()
    tellers = [started(open_store, old) for _ in range(3)]
    assert [teller.recv() for teller in tellers] == [SMALL] * 3
    assert (old / "log.1" / "data.mdb").read_bytes() == before
    assert sorted(path.name for path in old.glob("log*")) == ["log", "log.1"]
    check(old)


def test_a_store_that_another_process_has_open_is_not_migrated_and_loses_none_of_its_commits(
    old: Path, started: Any
) -> None:
    before = contents(old)
    other = started(open_raw, old)
    assert other.recv() == "open"
    with pytest.raises(Conflict, match="another process has the store open"):
        lineal.open(old)
    assert contents(old) == before
    other.send("commit")
    assert other.recv() == "done"
    check(old)
    environment = Environment(old / "log", ["of-another"], map_size_bytes=1 << 30, read_only=True)
    with closing(environment), environment.begin() as txn:
        assert txn.get(b"committed", db=environment.databases["of-another"]) == b"meanwhile"


def test_who_waits_for_a_database_that_is_exchanged_does_not_take_it_for_the_old_one(old: Path, started: Any) -> None:
    """It would go on from the last commit that the lock file names, over those of the database that is there."""
    shutil.copytree(old, old.parent / "copy")
    for number in range(8):
        changed(
            old.parent / "copy",
            b"meta",
            lambda txn, place, number=number: txn.put(b"%d" % number, b"later", db=place),
        )
    changed(old, b"meta", lambda txn, place: txn.put(b"x", b"makes the lock file", db=place))
    with only_user(old / "log"):
        script = (
            "import lmdb, sys\n"
            "print('begun', flush=True)\n"
            "try: env = lmdb.open(sys.argv[1], map_size=1 << 30, max_dbs=64)\n"
            "except lmdb.Error: print('refused'); sys.exit()\n"
            "place = env.open_db(b'meta')\n"
            "with env.begin() as txn: print(bytes(txn.get(b'7', db=place) or b'').decode())\n"
        )
        waiting = subprocess.Popen(
            [sys.executable, "-P", "-c", script, str(old / "log")], stdout=subprocess.PIPE, text=True
        )
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "begun\n"
        until_blocked(waiting)
        os.replace(old.parent / "copy" / "log" / "data.mdb", old / "log" / "data.mdb")
    out, _ = waiting.communicate(timeout=30)
    assert out.strip() in ("refused", "later")


def test_openings_wait_for_a_migration(old: Path) -> None:
    check(old)
    script = "import lineal, sys; print('begun', flush=True); print(lineal.open(sys.argv[1]).load('small')['number'])"
    command = [sys.executable, "-P", "-c", script, str(old)]
    with only_creator(old):
        opening = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert opening.stdout is not None
        assert opening.stdout.readline() == "begun\n"
        until_blocked(opening)
    out, _ = opening.communicate(timeout=30)
    assert out == "2\n"


def test_a_forked_child_does_not_go_on_with_another_database_than_its_parent_had(old: Path) -> None:
    check(old)
    environment = open_environment(old, 1 << 34, read_only=False)

    def go_on(told: Connection) -> None:
        shutil.copy(old / "log" / "data.mdb", old / "other")
        os.replace(old / "other", old / "log" / "data.mdb")
        try:
            with environment.begin(write=True):
                told.send("went on")
        except StoreBroken:
            told.send("refused")

    mine, its = FORK.Pipe()
    child = FORK.Process(target=go_on, args=(its,))
    child.start()
    assert mine.recv() == "refused"
    child.join()
    environment.close()
