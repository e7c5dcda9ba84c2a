"""Durable writes: the only place that knows in which order a file becomes a fact.

Data fsync → rename → fsync of the directory that received the name. Each weaker order loses data in a power cut
(Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014).
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType

from ..errors import StoreBroken, StoreFull
from .digest import Buffer
from .progress import STEP_BYTES, Stage

NAME_BYTES = 4096
"""About what another name in a directory takes."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EROFS})
"""What a file system answers that has no hard links."""
_PREALLOCATE_FROM_BYTES = 1024 * 1024


class DiskErrors:
    """Turns a full or failing disk into `StoreFull` or `StoreBroken`; other errors pass, and so do these, if nested."""

    __slots__ = ("_needed_bytes", "_where")

    def __init__(self, where: Path | str, needed_bytes: int) -> None:
        self._where = where
        self._needed_bytes = needed_bytes

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, OSError):
            return
        if error.errno in _FULL:
            raise full(self._where, self._needed_bytes) from error
        if error.errno == errno.EIO:
            raise StoreBroken(
                "the disk failed",
                where=error.filename or self._where,
                hint="Check the disk, then open the store again; nothing acknowledged was lost.",
            ) from error


def disk_errors(where: Path | str, needed_bytes: int = NAME_BYTES) -> DiskErrors:
    """Raise what is ours for a full or failing disk inside the block."""
    return DiskErrors(where, needed_bytes)


def full(where: Path | str, needed_bytes: int) -> StoreFull:
    """The error of a file system without room."""
    return StoreFull(
        f"no room left to write {needed_bytes:,} bytes",
        where=where,
        hint="Free that much space (`lineal gc` may help) or raise the limit; nothing acknowledged was lost.",
        needed_bytes=needed_bytes,
    )


def write_all(fd: int, data: Buffer, *, preallocate: bool = True, stage: Stage | None = None) -> None:
    """Write every byte; a large file that holds nothing else is allocated first: a full disk shows before the work."""
    view = memoryview(data).cast("B") if memoryview(data).nbytes else memoryview(b"")
    if preallocate:
        allocate(fd, view.nbytes)
    done = 0
    while done < view.nbytes:
        count = os.write(fd, view[done : done + STEP_BYTES])
        done += count
        if stage is not None:
            stage.advance(count)


def allocate(fd: int, size_bytes: int) -> None:
    """Let an empty file have this size where that is large; what is not written reads as zeros."""
    if size_bytes >= _PREALLOCATE_FROM_BYTES and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size_bytes)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def move_durably(path: Path, target: Path) -> None:
    """Move a file to a name that is free, so that a crash leaves it under one of its names, or under both.

    A rename alone may reach the disk in the directory that loses the name first. It is all there is where the file
    system has no hard links.
    """
    try:
        os.link(path, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        os.rename(path, target)
        sync_directory(target.parent)
    else:
        sync_directory(target.parent)
        if path.samefile(target):  # Another file may have been given the name meanwhile.
            path.unlink()
    sync_directory(path.parent)


def write_durably(path: Path, data: bytes) -> None:
    """Write a small file so that a crash leaves the old one or the new one, never a part."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with disk_errors(path, len(data)):
        fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(scratch, path)
        sync_directory(path.parent)
