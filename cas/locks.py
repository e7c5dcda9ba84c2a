"""Locks between processes, on directories: the kernel lets go of them where a process dies."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import Conflict
from .durable import disk_errors

_LOCK_FILE = "lock.mdb"
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EINVAL})


@contextmanager
def only_creator(path: Path) -> Iterator[None]:
    """Be the only one to make or migrate the store in a directory; waits for others."""
    with _locked(path, fcntl.LOCK_EX):
        yield


@contextmanager
def unless_migrated(path: Path, *, is_reader: bool) -> Iterator[None]:
    """Let nobody migrate the store in a directory while it is opened; waits for whoever does.

    Readers go without where the file system has no such locks.
    """
    try:
        fd = _lock(path, fcntl.LOCK_SH)
    except OSError as error:
        if not is_reader or error.errno not in _NO_LOCKS:
            raise
        yield
        return
    try:
        yield
    finally:
        os.close(fd)


@contextmanager
def only_user(directory: Path) -> Iterator[None]:
    """Be the only process that has the database in a directory open; who opens it meanwhile waits, or fails.

    Whoever has an LMDB environment open holds a lock on the first byte of its lock file, shared; who opens it first
    makes that file's content, under an exclusive one (``mdb.c``, mdb_env_excl_lock). It is emptied in the end: it
    names the last commit of a database that may be another one by then, and a process that waited would believe it.

    Raises:
        Conflict: Another process has it open.
    """
    with disk_errors(directory):
        fd = os.open(directory / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0, os.SEEK_SET)
        except (BlockingIOError, PermissionError) as error:
            raise Conflict(
                "another process has the store open, which has an older format",
                where=directory.parent,
                hint="Close it there; the next opening brings the store to today's format.",
            ) from error
        try:
            yield
        finally:
            os.ftruncate(fd, 0)
    finally:
        os.close(fd)


@contextmanager
def only_collector(path: Path) -> Iterator[None]:
    """Be the only one to collect in the store in a directory. Raises `Conflict` if somebody else does."""
    try:
        with _locked(path / "packs", fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield
    except BlockingIOError as error:
        raise Conflict(
            "another collection of this store is under way", where=path, hint="Wait until it has ended."
        ) from error


@contextmanager
def only_rebuilder(path: Path) -> Iterator[None]:
    """Be the only one to rebuild the indexes of the store in a directory; waits for others."""
    with _locked(path / "log", fcntl.LOCK_EX):
        yield


@contextmanager
def unless_rebuilt(path: Path) -> Iterator[bool]:
    """Tell whether nobody rebuilds the indexes of the store in a directory; then nobody begins to meanwhile."""
    try:
        with _locked(path / "log", fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield True
    except BlockingIOError:
        yield False


@contextmanager
def _locked(path: Path, operation: int) -> Iterator[None]:
    fd = _lock(path, operation)
    try:
        yield
    finally:
        os.close(fd)


def _lock(path: Path, operation: int) -> int:
    with disk_errors(path):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, operation)
        except BaseException:
            os.close(fd)
            raise
        return fd
