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
import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import lmdb

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


def can_fail(kind: str, name: str) -> bool:
    """Whether a call of this name is one that can fail in this way."""
    match kind:
        case "readers full":
            return name == "begin"
        case "map full":
            return name == "put"
        case "disk" | "no space":
            return name in DATABASE
        case "ENOSPC":
            return name in CHANGES
        case "short":
            return name in COUNTED
        case _:
            return name not in DATABASE


class Faults:
    """Counts the calls that reach a store, and makes one of them fail. Use it with ``with``."""

    def __init__(self, root: Path, kind: str, nth: int, *, is_sticky: bool) -> None:
        """Fail the nth call, from 1 on, that can fail in this way: EIO, ENOSPC, short, or one of the database's."""
        self.calls: Counter[str] = Counter()
        """How often each call was made, by name."""
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
        if self._is_over:
            return False
        self.calls[name] += 1
        if not can_fail(self._kind, name):
            return False
        self._nth -= 1
        is_due = self._nth == 0 or (self._is_sticky and self._nth < 0)
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
