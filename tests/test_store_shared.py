"""A store that several threads, handles and forked children use at once, and one that was damaged."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import lineal
from lineal.cas import digest_of
from lineal.cas.process import ProcessStamp
from lineal.errors import (
    BlobMissing,
    LinealError,
    LogCorrupt,
    NotAStore,
)
from lineal.events import catalogue as facts
from lineal.events.ids import RunId
from lineal.events.rows import key
from lineal.store import Store, open_store


def started(store: Store, run: RunId) -> None:
    """Record that this process runs something."""
    stamp = ProcessStamp.current()
    with store.blobs.batch() as batch:
        digest = batch.put(b"graph")
        blobs = batch.publish()
    process = facts.Process(stamp.host, stamp.boot, stamp.pid, stamp.start_ticks)
    store.append([facts.RunStarted(run, "p", digest, (), None, process, digest)], blobs).wait()


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a program that uses Lineal."""
    command = [sys.executable, "-P", "-c", textwrap.dedent(script), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_lost_format_file_does_not_erase_the_store(store_path: Path) -> None:
    store = open_store(store_path)
    started(store, RunId(b"r" * 16))
    store.close()
    kept = (store_path / "FORMAT").read_bytes()
    (store_path / "FORMAT").unlink()
    with pytest.raises(LogCorrupt, match="lost its FORMAT"):
        open_store(store_path)
    (store_path / "FORMAT").write_bytes(kept)
    store = open_store(store_path)
    assert store.log.get(2).stream == b"r" * 16
    store.close()


def test_closing_one_of_two_handles_makes_durable_what_it_submitted(store_path: Path) -> None:
    script = """
        import os, sys, lineal
        first, second = lineal.open(sys.argv[1]), lineal.open(sys.argv[1])
        for number in range(10):
            second.save(number, "x")
        second.close()
        os._exit(0)
    """
    python(script, str(store_path)).communicate(timeout=60)
    store = open_store(store_path)
    assert store.head().seq == 11
    store.close()


def test_a_flush_waits_for_what_was_submitted_before_it_and_not_for_what_others_go_on_to_submit(store: Store) -> None:
    ended = threading.Event()

    def submit() -> None:
        while not ended.is_set():
            store.append([facts.RunCompleted(RunId(b"x" * 16))])

    thread = threading.Thread(target=submit)
    thread.start()
    try:
        flushing = threading.Thread(target=store.flush)
        flushing.start()
        flushing.join(20)
        assert not flushing.is_alive()
    finally:
        ended.set()
        thread.join()


def test_a_child_forked_while_other_threads_read_and_write_can_go_on(store: Store) -> None:
    ended = threading.Event()

    def work(read: bool) -> None:
        while not ended.is_set():
            if read:
                store.committed_rows("runs").latest(key("a"))
            else:
                store.append([facts.RunCompleted(RunId(b"x" * 16))]).wait()

    threads = [threading.Thread(target=work, args=(read,)) for read in (True, True, False)]
    for thread in threads:
        thread.start()
    try:
        children = [multiprocessing.get_context("fork").Process(target=_write_one, args=(store,)) for _ in range(8)]
        for child in children:
            child.start()
        for child in children:
            child.join(30)
        assert [child.exitcode for child in children] == [0] * 8
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _write_one(store: Store) -> None:
    started(store, RunId.new())


def test_one_stores_failure_at_exit_does_not_lose_the_saves_of_another(tmp_path: Path) -> None:
    script = """
        import sys, lineal
        from lineal.events.catalogue import ArtifactSaved, Output
        from lineal.cas import digest_of
        bad, good = lineal.open(sys.argv[1] + "/bad"), lineal.open(sys.argv[1] + "/good")
        bad.store.append([ArtifactSaved(Output("x", "x", digest_of(b"never"), "f/1", "t", 1, {}))])
        for number in range(500):
            good.save(number, "x")
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", textwrap.dedent(script), str(tmp_path)], stderr=subprocess.PIPE, text=True
    )
    assert "BlobMissing" in process.communicate(timeout=60)[1]
    store = open_store(tmp_path / "good")
    assert store.head().seq == 501
    store.close()


def test_what_another_process_commits_right_after_a_refusal_is_seen_by_the_next_commit(client: lineal.Client) -> None:
    client.save("one", "name")
    client.flush()
    missing = digest_of(b"nowhere")
    with pytest.raises(BlobMissing):
        client.store.append([facts.ArtifactSaved(facts.Output("name", "name", missing, "x/1", "t", 1, {}))]).wait()
    child = os.fork()
    if not child:
        client.save("two", "name")
        client.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert client.save("three", "name").version == 3
    assert [client.load(f"name@{number}") for number in (1, 2, 3)] == ["one", "two", "three"]


def test_threads_may_open_and_close_one_store_at_once(store_path: Path) -> None:
    def open_and_close(_: int) -> int:
        store = open_store(store_path)
        seq = store.head().seq
        store.close()
        return seq

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(open_and_close, range(200))) == {1}


def test_what_is_no_place_for_a_store_is_a_typed_error() -> None:
    for place in ("/proc/nope", "/dev/null/x"):
        with pytest.raises(NotAStore):
            open_store(Path(place))


def test_damage_inside_the_database_is_an_error_of_ours_wherever_it_is_met(store_path: Path) -> None:
    store = open_store(store_path)
    for number in range(100):
        started(store, RunId(number.to_bytes(16, "big")))
    store.close()
    data = store_path / "log" / "data.mdb"
    whole = data.read_bytes()
    met = 0
    for page in range(2, len(whole) // 4096, 5):
        data.write_bytes(whole[: page * 4096] + b"\xa5" * 4096 + whole[(page + 1) * 4096 :])
        try:
            store = open_store(store_path)
        except LinealError:
            met += 1
            continue
        try:
            list(store.log.scan())
            list(store.rows("runs").history(key("a")))
        except LinealError:
            met += 1
        finally:
            store.close()
    assert met > 0
