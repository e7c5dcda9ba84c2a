"""The store directory: creation, opening, recovery, and many processes at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from lineal.cas import BlobKind, digest_of
from lineal.cas.process import ProcessStamp
from lineal.directory import find_store
from lineal.errors import (
    BlobMissing,
    Conflict,
    FormatTooNew,
    LogCorrupt,
    NotAStore,
    StoreBroken,
    StoreClosed,
    StoreFull,
    StoreNotFound,
)
from lineal.events import catalogue as facts
from lineal.events import sorted_rows
from lineal.events.ids import RunId
from lineal.events.projections.runs import RunRow
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


def status(store: Store, run: RunId) -> str:
    """What the store says of a run."""
    found = store.rows("runs").latest(key("r", run))
    assert found is not None
    return RunRow.of(found.row).status


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a program that uses Lineal."""
    command = [sys.executable, "-P", "-c", textwrap.dedent(script), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_new_store_says_what_it_is_and_keeps_itself_out_of_git(store: Store, store_path: Path) -> None:
    fields = json.loads((store_path / "FORMAT").read_text())
    assert (fields["magic"], fields["version"], fields["store"]) == ("lineal", 2, str(store.id))
    assert (store_path / ".gitignore").read_text() == "*\n"
    first = store.log.get(1).event
    assert first == facts.StoreCreated(store.id, 2)


def test_a_process_opens_a_store_once_and_the_last_close_closes_it(store_path: Path) -> None:
    first, second = open_store(store_path), open_store(store_path)
    assert first is second
    first.close()
    assert second.head().seq == 1
    second.close()
    with pytest.raises(StoreClosed):
        second.head()
    third = open_store(store_path)
    assert third is not first
    third.close()


def test_the_store_moves(store_path: Path, tmp_path: Path) -> None:
    store = open_store(store_path)
    with store.blobs.batch() as batch:
        digest = batch.put(b"x" * 50_000)
        store.append([], batch.publish()).wait()
    head = store.head()
    store.close()
    copied = Path(shutil.copytree(store_path, tmp_path / "copied"))
    store_path.rename(tmp_path / "moved")
    for place in (copied, tmp_path / "moved"):
        moved = open_store(place)
        assert moved.head() == head
        assert moved.blobs.read(digest) == b"x" * 50_000
        moved.close()
        names = [str(path).encode() for path in (store_path, tmp_path)]
        assert not any(name in file.read_bytes() for name in names for file in place.rglob("*") if file.is_file())


def test_a_read_only_store_is_not_written_to(store_path: Path) -> None:
    open_store(store_path).close()
    before = {path: path.stat().st_mtime_ns for path in store_path.rglob("*") if path.name != "lock.mdb"}
    store = open_store(store_path, read_only=True)
    assert store.head().seq == 1
    with pytest.raises(StoreClosed):
        store.append([]).wait()
    with pytest.raises(Conflict):
        open_store(store_path)
    store.close()
    assert {path: path.stat().st_mtime_ns for path in store_path.rglob("*") if path.name != "lock.mdb"} == before


def test_where_no_store_is_none_is_made_unless_asked(store_path: Path) -> None:
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(StoreNotFound):
            open_store(store_path, **options)
    assert not store_path.exists()


def test_a_path_that_is_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder, file = tmp_path / "photos", tmp_path / "file"
    folder.mkdir()
    (folder / "cat.jpg").write_text("meow")
    file.write_text("text")
    for path in (folder, file):
        with pytest.raises(NotAStore):
            open_store(path)
    assert [path.name for path in folder.iterdir()] == ["cat.jpg"]
    assert file.read_text() == "text"


def test_a_directory_that_holds_a_store_is_named_in_the_hint(tmp_path: Path) -> None:
    open_store(tmp_path / ".lineal").close()
    with pytest.raises(StoreNotFound, match=r"Open .*\.lineal"):
        open_store(tmp_path, create=False)


@pytest.mark.parametrize("change", [{"version": 3}, {"required": ["packs-2"]}])
def test_a_store_of_a_newer_format_is_refused_and_left_alone(store_path: Path, change: dict[str, object]) -> None:
    open_store(store_path).close()
    place = store_path / "FORMAT"
    place.write_text(json.dumps(json.loads(place.read_text()) | change))
    before = place.read_text()
    with pytest.raises(FormatTooNew, match="newer Lineal"):
        open_store(store_path)
    assert place.read_text() == before


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"magic": "lineal", "version": 2, "required": []}'])
def test_a_damaged_format_file_is_a_typed_error(store_path: Path, text: str) -> None:
    open_store(store_path).close()
    (store_path / "FORMAT").write_text(text)
    with pytest.raises(NotAStore):
        open_store(store_path)


def test_a_lost_or_foreign_log_is_not_replaced_by_an_empty_one(store_path: Path, tmp_path: Path) -> None:
    open_store(store_path).close()
    open_store(tmp_path / "other").close()
    shutil.rmtree(store_path / "log")
    with pytest.raises(LogCorrupt, match="lost its log"):
        open_store(store_path)
    shutil.copytree(tmp_path / "other" / "log", store_path / "log")
    with pytest.raises(LogCorrupt, match="another store"):
        open_store(store_path)


def test_a_truncated_log_is_a_typed_error(store_path: Path) -> None:
    store = open_store(store_path)
    for _ in range(50):
        started(store, RunId.new())
    store.close()
    data = store_path / "log" / "data.mdb"
    os.truncate(data, data.stat().st_size // 2)
    with pytest.raises(LogCorrupt, match="truncated"):
        open_store(store_path)


def test_a_changed_event_near_the_end_is_found_at_opening(store_path: Path) -> None:
    store = open_store(store_path)
    started(store, RunId.new())
    table = store._env.databases["events"]
    with store._env.begin(write=True) as txn:
        value = bytearray(txn.get((2).to_bytes(8, "big"), db=table))
        value[-1] ^= 1
        txn.put((2).to_bytes(8, "big"), bytes(value), db=table)
    store.close()
    with pytest.raises(LogCorrupt, match="event 2"):
        open_store(store_path)


def test_a_creation_that_was_cut_short_is_begun_again(store_path: Path) -> None:
    open_store(store_path).close()
    (store_path / "FORMAT").unlink()
    os.truncate(store_path / "log" / "data.mdb", 4096)
    store = open_store(store_path)
    assert store.head().seq == 1
    store.close()


def test_processes_that_create_one_store_at_once_agree_on_it(store_path: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from lineal.store import open_store
        print(open_store(Path(sys.argv[1])).id)
    """
    processes = [python(script, str(store_path)) for _ in range(6)]
    answers = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert len(answers) == 1
    assert {process.returncode for process in processes} == {0}


def test_eight_processes_at_once_lose_nothing_and_keep_each_writers_order(store_path: Path) -> None:
    open_store(store_path).close()
    script = """
        import sys
        from pathlib import Path
        from lineal.events.catalogue import RunFailed
        from lineal.events.ids import RunId
        from lineal.store import open_store
        store = open_store(Path(sys.argv[1]))
        run = RunId(bytes([int(sys.argv[2])]) * 16)
        for number in range(200):
            store.append([RunFailed(run, None, str(number))])
        store.flush()
    """
    processes = [python(script, str(store_path), str(writer)) for writer in range(8)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0] * 8
    store = open_store(store_path)
    assert store.log.verify().seq == 1 + 8 * 200
    written: dict[bytes, list[int]] = {}
    for recorded in store.log.scan(after=1):
        assert isinstance(recorded.event, facts.RunFailed)
        written.setdefault(recorded.event.run, []).append(int(recorded.event.message))
    assert len(written) == 8
    assert all(numbers == list(range(200)) for numbers in written.values())
    store.close()


def test_the_run_of_a_killed_process_reads_interrupted_and_its_acknowledged_facts_are_there(store_path: Path) -> None:
    open_store(store_path).close()
    script = """
        import sys, time
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from lineal.events.ids import RunId
        from lineal.store import open_store
        import test_store
        store = open_store(Path(sys.argv[1]))
        test_store.started(store, RunId(b"k" * 16))
        store.blobs.files.write(test_store.digest_of(b"x"), b"x")
        print("acknowledged", flush=True)
        time.sleep(60)
    """
    process = python(script, str(store_path), str(Path(__file__).parent))
    assert process.stdout is not None
    assert process.stdout.readline() == "acknowledged\n"
    store = open_store(store_path)
    assert status(store, RunId(b"k" * 16)) == "running"
    store.close()
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    store = open_store(store_path)
    assert status(store, RunId(b"k" * 16)) == "interrupted"
    assert os.listdir(store_path / "tmp") == []
    seq = store.head().seq
    store.close()
    again = open_store(store_path)
    assert again.head().seq == seq
    again.close()


def test_a_full_disk_refuses_the_commit_and_keeps_what_was_acknowledged(store_path: Path) -> None:
    store = open_store(store_path)
    started(store, RunId(b"a" * 16))
    store.close()
    script = """
        import resource, sys
        from pathlib import Path
        from lineal.errors import StoreFull
        from lineal.store import open_store
        store = open_store(Path(sys.argv[1]))
        size = (Path(sys.argv[1]) / "log" / "data.mdb").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        with store.blobs.batch() as batch:
            for number in range(500):
                batch.put(number.to_bytes(2, "big") * 5000)
            blobs = batch.publish()
        try:
            store.append([], blobs).wait()
        except StoreFull as error:
            print("full", error.details["needed_bytes"] >= 5_000_000, bool(error.hint))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        store.append([], blobs).wait()
        print("went on")
    """
    output, _ = python(script, str(store_path)).communicate(timeout=60)
    assert output.splitlines() == ["full True True", "went on"]
    store = open_store(store_path)
    assert store.log.verify() == store.head()
    assert digest_of((7).to_bytes(2, "big") * 5000) in {entry.digest for entry in store.blobs.entries()}
    store.close()


def test_a_rebuild_without_room_to_sort_is_refused_and_the_rows_in_force_stay(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = store.rows("streams").keys(b"")
    with monkeypatch.context() as patched:
        full = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115 — the rebuild closes it
        patched.setattr(sorted_rows, "SpooledTemporaryFile", lambda *_, **__: full)
        with pytest.raises(StoreFull):
            store.rebuild()
    assert store.rows("streams").keys(b"") == before != []
    store.rebuild()
    assert store.rows("streams").keys(b"") == before


def test_all_or_nothing_a_refused_commit_leaves_no_event_no_row_and_no_blob(store: Store) -> None:
    run, before = RunId.new(), store.head()
    process = facts.Process("h", "b", 1, 1)
    missing = digest_of(b"never put")
    with store.blobs.batch() as batch:
        structure = batch.put(b"structure", BlobKind.BYTES)
        blobs = batch.publish()
    event = facts.RunStarted(run, "p", structure, (), None, process, missing)
    with pytest.raises(BlobMissing):
        store.append([event], blobs).wait()
    assert store.head() == before
    assert store.rows("runs").latest(key("r", run)) is None
    assert structure not in {entry.digest for entry in store.blobs.entries()}


def test_events_after_a_failed_submission_are_refused_with_its_error(store: Store) -> None:
    process = facts.Process("h", "b", 1, 1)
    missing = digest_of(b"never put")
    failing = store.append([facts.RunStarted(RunId.new(), "p", missing, (), None, process, missing)])
    following = store.append([facts.RunCompleted(RunId.new())], after=[failing])
    for ticket in (failing, following):
        with pytest.raises(BlobMissing):
            ticket.wait()
    assert store.head().seq == 1


def test_a_store_whose_empty_directories_were_not_copied_goes_on(store_path: Path) -> None:
    open_store(store_path).close()
    for directory, _, _ in os.walk(store_path, topdown=False):
        if not os.listdir(directory):
            os.rmdir(directory)
    open_store(store_path, read_only=True).close()
    store = open_store(store_path)
    data = os.urandom(2_000_000)
    with store.blobs.batch() as batch:
        digest = batch.put(data)
        store.append([], batch.publish()).wait()
    assert store.blobs.read(digest) == data
    store.close()


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_store_that_was_moved_while_it_was_open_takes_no_commit_that_its_path_would_not_have(
    store_path: Path, is_replaced: bool
) -> None:
    store = open_store(store_path)
    store_path.rename(store_path.with_name("moved"))
    if is_replaced:
        python("import sys, lineal; lineal.open(sys.argv[1]).close()", str(store_path)).communicate(timeout=60)
    with pytest.raises(StoreBroken, match="moved or removed"):
        store.append([facts.RunCompleted(RunId.new())]).wait()
    store.close()
    store = open_store(store_path.with_name("moved"))
    assert store.head().seq == 1
    store.close()


def test_what_is_refused_before_it_is_queued_is_held_no_longer(store_path: Path) -> None:
    store = open_store(store_path)
    with store.blobs.batch() as batch:
        digest = batch.put(b"small")
        batch.put(os.urandom(2_000_000))
        blobs = batch.publish()
    store.close()
    with pytest.raises(StoreClosed):
        store.append([], blobs)
    assert list((store_path / "tmp").iterdir()) == []
    with pytest.raises(StoreClosed):
        store.blobs.row(digest)


def test_a_child_that_is_forked_while_a_thread_holds_files_does_not_wait_for_it(store: Store) -> None:
    with store.blobs.batch() as batch:
        for number in range(10):
            batch.put(bytes([number]) * 1_100_000)
        store.append([], batch.publish()).wait()
    volumes = list(store.blobs.files.volumes())
    stopping = threading.Event()

    def hold() -> None:
        while not stopping.is_set():
            for volume in volumes:
                store.blobs.files.hold(volume)
            store.blobs.files.release(volumes)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if not child:
                signal.alarm(10)  # Ends a child that hangs.
                os._exit(not store.blobs.files.hold(volumes[0]))
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stopping.set()
        thread.join()


def test_a_forked_child_goes_on_with_the_store(store: Store) -> None:
    started(store, RunId(b"p" * 16))

    def child() -> None:
        started(store, RunId(b"c" * 16))
        assert list(store.log.scan())[-1].stream == b"c" * 16

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    started(store, RunId(b"q" * 16))
    assert [recorded.stream[:1] for recorded in store.log.scan(after=1)] == [b"p", b"c", b"q"]


def test_the_store_is_found_by_variable_then_upwards_then_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert find_store() == inner / ".lineal"
    open_store(tmp_path / ".lineal").close()
    assert find_store() == tmp_path / ".lineal"
    monkeypatch.setenv("LINEAL_STORE", str(tmp_path / "chosen"))
    assert find_store() == tmp_path / "chosen"
    assert find_store("given") == Path("given")


def test_opening_is_quick_to_find_a_dead_run_even_after_many_others(store_path: Path) -> None:
    store = open_store(store_path)
    for number in range(300):
        run = RunId(number.to_bytes(16, "big"))
        started(store, run)
        store.append([facts.RunCompleted(run)])
    stale = facts.Process(ProcessStamp.current().host, "an earlier boot", 1, 1)
    digest = digest_of(b"graph")
    dead = RunId(b"d" * 16)
    store.append([facts.RunStarted(dead, "p", digest, (), None, stale, digest)]).wait()
    store.close()
    begun = time.process_time()
    store = open_store(store_path)
    assert status(store, dead) == "interrupted"
    assert time.process_time() - begun < 5
    store.close()


def test_an_error_of_the_disk_is_an_os_error_too() -> None:
    assert issubclass(StoreFull, OSError)
