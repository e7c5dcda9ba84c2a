"""Faults: the nth call that reaches a store's files or its database fails, once or from then on.

CPython calls a system call again when a signal interrupts it (PEP 475), so EINTR reaches none of this code:
there is nothing to inject. What a signal may leave is a short count, and those are injected.
"""

from __future__ import annotations

import builtins
import errno
import io
import mmap
import os
import pickle
import shutil
import signal
import stat
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import lmdb
import numpy as np
import pytest
from memory import IN_MEMORY

import lineal
from lineal import Client, pipeline, step
from lineal.cas import BlobFiles
from lineal.cas import files as files_module
from lineal.cas.durable import sync_directory
from lineal.cas.files import Scratch
from lineal.errors import LinealError, StoreBroken, StoreFull
from lineal.in_force import entered

PATH_CALLS = ("open", "stat", "mkdir", "replace", "rename", "unlink", "link", "listdir", "scandir")
FD_CALLS = ("write", "writev", "pwrite", "pread", "preadv", "readinto", "read", "fsync", "fstat", "posix_fallocate")
CHANGES = {"open", "mkdir", "replace", "rename", "link", "write", "writev", "pwrite", "fsync", "posix_fallocate"}
COUNTED = {"write", "pwrite", "pread", "preadv"}
DATABASE = {"begin", "put", "commit"}
DATABASE_FAULTS: dict[str, Callable[[], Exception]] = {
    "map full": lambda: lmdb.MapFullError("mdb_put: MDB_MAP_FULL"),
    "readers full": lambda: lmdb.ReadersFullError("mdb_txn_begin: MDB_READERS_FULL"),
    "disk": lambda: lmdb.DiskError("mdb_txn_commit: " + os.strerror(errno.EIO)),
    "no space": lambda: lmdb.Error("mdb_txn_commit: " + os.strerror(errno.ENOSPC)),
}


class Faults:
    """Counts the calls that reach a store, and makes one of them fail. Use it with ``with``."""

    def __init__(self, root: Path, kind: str, nth: int, *, is_sticky: bool) -> None:
        """Fail the nth call, from 1 on, that can fail in this way: EIO, ENOSPC, short, or one of the database's."""
        self.calls = 0
        self.failed: list[str] = []
        """What was made to fail."""
        self.retried: list[str] = []
        """Files of which an fsync failed, and that were synced or named after that."""
        self._root = str(root)
        self._kind = kind
        self._nth = nth
        self._is_sticky = is_sticky
        self._is_over = False
        self._paths: dict[int, str] = {}
        self._unsynced: set[tuple[int, int]] = set()
        self._patches: list[Any] = []
        self._fstat = os.fstat
        self._stat = os.stat

    def __enter__(self) -> Faults:
        for name in PATH_CALLS:
            self._patch(os, name, self._path_call(name, getattr(os, name)))
        for name in FD_CALLS:
            if hasattr(os, name):
                self._patch(os, name, self._fd_call(name, getattr(os, name)))
        self._patch(mmap, "mmap", self._fd_call("mmap", mmap.mmap))
        for module in (io, builtins):
            self._patch(module, "open", self._path_call("read", open))
        self._patch(lmdb, "open", self._database(lmdb.open))
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        while self._patches:
            self._patches.pop().stop()

    def _patch(self, module: Any, name: str, replacement: Any) -> None:
        patch = mock.patch.object(module, name, replacement)
        patch.start()
        self._patches.append(patch)

    def _is_due(self, name: str, what: str) -> bool:
        if self._is_over or (self._kind == "ENOSPC" and name not in CHANGES):
            return False
        if self._kind == "short" and name not in COUNTED:
            return False
        if (self._kind in DATABASE_FAULTS) != (name in DATABASE):
            return False
        if self._kind == "readers full" and name != "begin":
            return False
        if self._kind == "map full" and name != "put":
            return False
        self.calls += 1
        is_due = self.calls == self._nth or (self._is_sticky and self.calls > self._nth)
        if is_due:
            self.failed.append(f"{name} {what}")
        return is_due

    def _raise(self, path: str) -> None:
        code = errno.EIO if self._kind == "EIO" else errno.ENOSPC
        raise OSError(code, os.strerror(code), path)

    def _path_call(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            text = self._paths.get(path, "") if isinstance(path, int) else os.fspath(path)
            text = text.decode() if isinstance(text, bytes) else text
            if not text.startswith(self._root) or "lock.mdb" in text:
                result = real(path, *args, **options)
                if name == "open":
                    self._paths.pop(result, None)  # The number was that of one of the store's files, closed by now.
                return result
            if self._is_due(name, text):
                self._raise(text)
            if name in {"replace", "rename"}:
                state = self._stat(path)
                if (state.st_dev, state.st_ino) in self._unsynced:
                    self.retried.append(f"{name} {text}")
            result = real(path, *args, **options)
            if name == "open":
                self._paths[result] = text
            return result

        return call

    def _fd_call(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(fd: int, *args: Any, **options: Any) -> Any:
            text = self._paths.get(fd, "") if fd >= 0 else ""
            if not text:
                return real(fd, *args, **options)
            state = self._fstat(fd)
            is_file = stat.S_ISREG(state.st_mode)
            if name == "fsync" and (state.st_dev, state.st_ino) in self._unsynced and is_file:
                self.retried.append(f"fsync {text}")
            if self._is_due(name, text):
                if self._kind == "short":
                    return self._short(name, real, fd, args)
                if name == "fsync":
                    self._unsynced.add((state.st_dev, state.st_ino))
                self._raise(text)
            return real(fd, *args, **options)

        return call

    def _short(self, name: str, real: Callable[..., Any], fd: int, args: tuple[Any, ...]) -> Any:
        if name == "pread":
            return real(fd, max(1, args[0] // 2), args[1])
        buffer = memoryview(args[0][0] if name == "preadv" else args[0])
        part = buffer[: max(1, buffer.nbytes // 2)]
        return real(fd, [part] if name == "preadv" else part, *args[1:])

    def _database(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def opened(*args: Any, **options: Any) -> Any:
            return _FaultyEnvironment(real(*args, **options), self)

        return opened

    def fail_database(self, name: str) -> None:
        """Raise if it is this call's turn."""
        if self._is_due(name, "database"):
            raise DATABASE_FAULTS[self._kind]()


class _FaultyEnvironment:
    """An LMDB environment some of whose calls fail."""

    def __init__(self, real: Any, faults: Faults) -> None:
        self._real = real
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def begin(self, **options: Any) -> Any:
        self._faults.fail_database("begin")
        txn = self._real.begin(**options)
        return _FaultyTransaction(txn, self._faults) if options.get("write") else txn


class _FaultyTransaction:
    """A write transaction some of whose calls fail; one whose commit fails has written nothing."""

    def __init__(self, real: Any, faults: Faults) -> None:
        self._real = real
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        if name in {"put", "delete"}:
            self._faults.fail_database("put")
        return getattr(self._real, name)

    def cursor(self, database: Any) -> Any:
        return _FaultyCursor(self._real.cursor(database), self._faults)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> Any:
        if kind is None:
            try:
                self._faults.fail_database("commit")
            except BaseException:
                self._real.abort()
                raise
        return self._real.__exit__(kind, error, trace)


class _FaultyCursor:
    def __init__(self, real: Any, faults: Faults) -> None:
        self._real = real
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        if name == "putmulti":
            self._faults.fail_database("put")
        return getattr(self._real, name)

    def __enter__(self) -> Any:
        self._real.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._real.__exit__(*error)


LARGE_BYTES = 1_300_000


@step
def doubled(n: int) -> np.ndarray:
    print("printed " * 4000)
    return np.arange(n) * 2


@pipeline
def doubling(n: int = 40_000) -> None:
    doubled(n)


def numbers(seed: int, size_bytes: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << 60, size_bytes // 8)


def save(client: Client, name: str, value: object) -> None:
    client.save(value, name)
    client.flush()


def put_stream(client: Client) -> None:
    with client.store.blobs.batch() as batch:
        batch.put_stream(numbers(21, 500_000).tobytes() for _ in range(4))
        client.store.append([], batch.publish()).wait()


def put_file(client: Client) -> None:
    with client.store.blobs.batch() as batch:
        batch.put_file(client.path.parent / "file")
        client.store.append([], batch.publish()).wait()


def load_all(client: Client) -> None:
    assert np.array_equal(client.load("large@1"), numbers(1, LARGE_BYTES))
    assert np.array_equal(client.load("large@2"), np.append(numbers(1, LARGE_BYTES), 7))
    assert np.array_equal(client.load("medium@1")[1], numbers(3, 40_000))
    assert client.load("small@1") == {"a": 1}


WORKLOADS: dict[str, Callable[[Client], object]] = {
    "inline": lambda client: save(client, "x", [1, 2]),
    "packed": lambda client: save(client, "x", [numbers(11, 30_000), numbers(12, 30_000)]),
    "alone": lambda client: save(client, "x", numbers(13, 30_000)),
    "large": lambda client: save(client, "x", numbers(14, LARGE_BYTES)),
    "successor": lambda client: save(client, "large", np.append(numbers(1, LARGE_BYTES), [8, 9])),
    "again": lambda client: save(client, "x", numbers(1, LARGE_BYTES)),
    "stream": put_stream,
    "file": put_file,
    "run": lambda client: doubling(),
    "load": load_all,
    "verify": lambda client: client.verify(),
    "quick verify": lambda client: client.verify(quick=True),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with something acknowledged in every kind of place. Not to be written to: copy it."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "file").write_bytes(numbers(22, 1_500_000).tobytes())
    with lineal.open(folder / "store") as client:
        save(client, "large", numbers(1, LARGE_BYTES))
        save(client, "large", np.append(numbers(1, LARGE_BYTES), 7))
        save(client, "medium", [numbers(2, 40_000), numbers(3, 40_000)])
        save(client, "small", {"a": 1})
    # What a workload imports on its way, it imports here, and not in each of the children that are forked.
    used = Path(shutil.copytree(folder, tmp_path_factory.mktemp("used"), dirs_exist_ok=True))
    with lineal.open(used / "store") as client:
        for work in WORKLOADS.values():
            work(client)
    return folder


class Outcome(NamedTuple):
    """What came of a workload with a fault in it."""

    failed: list[str]
    broken: list[str]
    """Promises that were not kept."""


def tried(template: Path, workload: str, kind: str, nth: int, *, is_sticky: bool) -> Outcome:
    """Do a workload with a fault on a copy of the store, in its own process: a signal counts, and so does a hang."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        copy = Path(shutil.copytree(template, Path(folder) / "copy"))
        receiving, sending = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            try:
                outcome: Any = _in_child(copy, WORKLOADS[workload], kind, nth, is_sticky)
            except BaseException:  # noqa: BLE001 — the parent reports it
                outcome = [], [traceback.format_exc()]
            os.write(sending, pickle.dumps(tuple(outcome)))
            os._exit(0)
        os.close(sending)
        with os.fdopen(receiving, "rb") as pipe:
            data = pipe.read()
        _, status = os.waitpid(child, 0)
        return Outcome(*pickle.loads(data)) if data else Outcome([], [f"the process ended with status {status}"])


def _in_child(folder: Path, work: Callable[[Client], object], kind: str, nth: int, is_sticky: bool) -> Outcome:
    path = folder / "store"
    faults = Faults(path, kind, nth, is_sticky=is_sticky)
    broken: list[str] = []
    client, error = None, None
    with faults:
        try:
            client = lineal.open(path)
            with entered(client._opened):
                work(client)
        except LinealError as failure:
            error = failure
        except OSError as failure:
            broken.append(f"an error that is not ours: {failure!r}: {traceback.format_exc()[-600:]}")
    broken += _wrong_with(error, kind)
    if error is not None and client is not None:
        broken += _recovered(client, error, work)
    if client is not None:
        try:
            client.close()
        except LinealError as failure:
            if error is None:
                broken.append(f"closing failed although the work had not: {failure}")
    broken += [f"after a failed fsync: {one}" for one in faults.retried]
    is_unlinkable = any(one.startswith("unlink ") for one in faults.failed)
    broken += _wrong_afterwards(path, work, () if is_unlinkable else ("tmp",))
    return Outcome(faults.failed, [f"{one} [{faults.failed[:1]} then {error!r}]" for one in broken])


def _wrong_with(error: LinealError | None, kind: str) -> list[str]:
    if kind == "short" and error is not None:
        return [f"a short count is no error: {error}"]
    if isinstance(error, StoreFull) and not 0 < error.details["needed_bytes"] < 4 * LARGE_BYTES:
        return [f"needed_bytes is {error.details['needed_bytes']}"]
    return [] if error is None or error.hint else [f"no hint: {error!r}"]


def _recovered(client: Client, error: LinealError, work: Callable[[Client], object]) -> list[str]:
    """Where the error does not say that the store is broken, the same handle goes on."""
    if isinstance(error, StoreBroken):
        return []
    try:
        with entered(client._opened):
            work(client)
    except LinealError as failure:
        return [f"the same again failed with {failure!r}"]
    return []


def _wrong_afterwards(path: Path, work: Callable[[Client], object], empty: Sequence[str]) -> list[str]:
    """Opened again, the store does the work, has all that was acknowledged, and nothing lies about."""
    with lineal.open(path) as client:
        work(client)
        client.flush()
        load_all(client)
        damages = client.verify().damages
    left = [name for folder in empty for name in os.listdir(path / folder)]
    return [*map(str, damages), *(f"left in tmp: {name}" for name in left)]


KINDS = ("EIO", "ENOSPC", "short", *DATABASE_FAULTS)


def trials(template: Path, workload: str, kind: str, *, stride: int) -> Iterator[Outcome]:
    """Let each nth call fail, with strides between, until none is left: it alone, and then with all that follow."""
    nth = 1
    while (outcome := tried(template, workload, kind, nth, is_sticky=False)).failed:
        yield outcome
        nth += stride
    yield outcome
    # Up to the first that fails, the calls are the same ones.
    for sticky in range(1, nth, stride):
        yield tried(template, workload, kind, sticky, is_sticky=True)


def broken_promises(template: Path, workload: str, kind: str, *, stride: int) -> list[str]:
    """What broke in any of the trials."""
    return [promise for outcome in trials(template, workload, kind, stride=stride) for promise in outcome.broken]


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_fails_costs_nothing_acknowledged_and_the_store_goes_on(
    template: Path, workload: str, kind: str
) -> None:
    assert broken_promises(template, workload, kind, stride=151 if "verify" in workload else 37) == []


@pytest.mark.torture
@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("kind", KINDS)
def test_whichever_call_fails_nothing_acknowledged_is_lost_and_the_store_goes_on(
    template: Path, workload: str, kind: str
) -> None:
    assert broken_promises(template, workload, kind, stride=1) == []


@pytest.mark.parametrize(("kind", "least"), [("EIO", 5), ("ENOSPC", 2), ("short", 1), ("disk", 3)])
def test_the_faults_of_each_kind_reach_the_calls_of_a_save(template: Path, kind: str, least: int) -> None:
    reached = [outcome for outcome in trials(template, "packed", kind, stride=5) if outcome.failed]
    assert len(reached) >= least


def with_retries(files: BlobFiles, scratches: Sequence[Scratch], *_: object) -> None:
    """Publish, but try an fsync that fails once more: the kernel may say then that all is well."""
    for scratch in scratches:
        try:
            os.fsync(scratch.fd)
        except OSError:
            os.fsync(scratch.fd)
    for scratch in scratches:
        assert scratch.volume is not None
        os.replace(scratch.path, files.volume_path(scratch.volume))
        sync_directory(files.volume_path(scratch.volume).parent)


def with_rename_at_all_costs(files: BlobFiles, scratches: Sequence[Scratch], *_: object) -> None:
    """Publish, but pass over an fsync that fails."""
    for scratch in scratches:
        with suppress(OSError):
            os.fsync(scratch.fd)
        assert scratch.volume is not None
        os.replace(scratch.path, files.volume_path(scratch.volume))
        sync_directory(files.volume_path(scratch.volume).parent)


@pytest.mark.parametrize("weakened", [with_retries, with_rename_at_all_costs])
def test_an_fsync_that_is_retried_or_passed_over_is_caught_by_this_very_check(
    template: Path, monkeypatch: pytest.MonkeyPatch, weakened: Callable[..., None]
) -> None:
    monkeypatch.setattr(BlobFiles, "_make_durable", weakened)
    assert any(
        "after a failed fsync" in promise
        for outcome in trials(template, "large", "EIO", stride=1)
        for promise in outcome.broken
    )


def test_a_write_that_takes_a_short_count_for_all_is_caught_by_this_very_check(
    template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "write_all", lambda fd, data, **_: os.write(fd, data))
    assert any(outcome.broken for outcome in trials(template, "large", "short", stride=1))
