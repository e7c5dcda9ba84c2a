"""Locks between processes, on directories: the kernel lets go of them where a process dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import Conflict
from .durable import disk_errors


@contextmanager
def only_creator(path: Path) -> Iterator[None]:
    """Be the only one to make or migrate the store in a directory; waits for others."""
    with _locked(path, fcntl.LOCK_EX):
        yield


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
    with disk_errors(path):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with disk_errors(path):
            fcntl.flock(fd, operation)
        yield
    finally:
        os.close(fd)
