"""Ingestion: bytes from a file or a stream into a scratch file, in constant memory.

Invariant: the digest is that of the bytes stored, whatever happens to the source meanwhile. So what is written is
what was hashed, from one buffer; where the file system clones instead, it is the clone that is hashed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from blake3 import blake3

from ..errors import Invalid
from .digest import Buffer, Digest
from .durable import allocate, disk_errors, write_all
from .files import BlobFiles, Scratch
from .progress import Stage

_BUFFER_BYTES = 1024 * 1024
_GATHER_BELOW_BYTES = 64 * 1024
"""Chunks smaller than this are written together."""
_CLONE_FROM_BYTES = 1024 * 1024
_FICLONE = 0x40049409
_CANNOT_CLONE = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS, errno.EXDEV, errno.EPERM})
_uncloneable: set[tuple[int, int]] = set()
"""Pairs of devices between which cloning is known to be impossible."""


def ingest_file(
    files: BlobFiles, source: Path | int, stage: Stage | None = None, *, follow_symlinks: bool = False
) -> tuple[Scratch, Digest, int]:
    """Copy a regular file to a scratch file; give that, its digest, and its size in bytes.

    Cloned where the file system shares extents (btrfs, XFS, ZFS), copied elsewhere.

    Args:
        files: Where the scratch file is made.
        source: A path, or an open descriptor, which is read from its start and whose position is left alone.
        stage: Hears of each piece.
        follow_symlinks: Whether the path may be a symbolic link to the file.

    Raises:
        Invalid: The source is no regular file, or can't be read to its end.
        StoreFull, StoreBroken: From the disk that is written to.
    """
    with opened(source, follow_symlinks=follow_symlinks) as fd:
        found = os.fstat(fd)
        scratch = files.scratch()
        try:
            with disk_errors(scratch.path, found.st_size):
                is_cloned = _clone(fd, found, scratch.fd)
            if is_cloned:
                digest, size_bytes = _digest_of_pieces(pieces_of(scratch.fd, scratch.path), stage)
            else:
                with disk_errors(scratch.path, found.st_size):
                    allocate(scratch.fd, found.st_size)
                digest, size_bytes = _copy(pieces_of(fd, source), scratch, stage, found.st_size)
                if size_bytes < found.st_size:
                    os.ftruncate(scratch.fd, size_bytes)
        except BaseException:
            scratch.discard()
            raise
    return scratch, digest, size_bytes


def ingest_stream(
    files: BlobFiles, chunks: Iterable[Buffer], stage: Stage | None = None
) -> tuple[Scratch, Digest, int]:
    """Write chunks to a scratch file as they come; give that, its digest, and its size in bytes.

    What the iterable raises passes, and leaves no file.

    Args:
        files: Where the scratch file is made.
        chunks: C-contiguous; each must not change until the next one is asked for.
        stage: Hears of each piece.

    Raises:
        Invalid: A chunk is no bytes.
        StoreFull, StoreBroken: From the disk that is written to.
    """
    scratch = files.scratch()
    try:
        digest, size_bytes = _copy(_gathered(chunks), scratch, stage)
    except BaseException:
        scratch.discard()
        raise
    return scratch, digest, size_bytes


def digest_of_file(source: Path | int, *, follow_symlinks: bool = False) -> tuple[Digest, int]:
    """Digest a regular file as it is now, and count its bytes: to learn, before a copy, whether one is there.

    Raises:
        Invalid: The source is no regular file, or can't be read to its end.
    """
    with opened(source, follow_symlinks=follow_symlinks) as fd:
        return _digest_of_pieces(pieces_of(fd, source), None)


@contextmanager
def opened(source: Path | int, *, follow_symlinks: bool) -> Iterator[int]:
    """A descriptor of a regular file, closed at the end if it was opened here; `Invalid` if it is none."""
    if isinstance(source, int):
        _expect_regular(source, source)
        yield source
        return
    # Without O_NONBLOCK a pipe would wait for its writer.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow_symlinks else os.O_NOFOLLOW)
    try:
        fd = os.open(source, flags)
    except OSError as error:
        raise _unreadable(source, error) from error
    try:
        _expect_regular(fd, source)
        yield fd
    finally:
        os.close(fd)


def pieces_of(fd: int, source: Path | int) -> Iterator[memoryview]:
    """The bytes of an open file from its start to what is its end when it is reached, in a buffer that is used again.

    Raises:
        Invalid: The file, called by its source, can't be read on.
    """
    window = memoryview(bytearray(_BUFFER_BYTES))
    offset = 0
    while True:
        try:
            count = os.preadv(fd, [window], offset)
        except OSError as error:
            raise _unreadable(source, error) from error
        if count == 0:
            return
        yield window[:count]
        offset += count


def read_small(fd: int, source: Path | int, max_bytes: int) -> bytes | None:
    """All bytes of an open file from its start; None if there are more."""
    if os.fstat(fd).st_size > max_bytes:
        return None
    data = b""
    try:
        while len(data) <= max_bytes and (more := os.pread(fd, max_bytes + 1 - len(data), len(data))):
            data += more
    except OSError as error:
        raise _unreadable(source, error) from error
    return data if len(data) <= max_bytes else None


def _expect_regular(fd: int, source: Path | int) -> None:
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "a device, pipe or socket"
        raise Invalid(f"{kind} is no regular file", where=_where(source), hint="Give a regular file.")


def _clone(fd: int, found: os.stat_result, to_fd: int) -> bool:
    """Let the empty file share all extents of the other one, if it can."""
    devices = found.st_dev, os.fstat(to_fd).st_dev
    if found.st_size < _CLONE_FROM_BYTES or devices in _uncloneable:
        return False
    try:
        fcntl.ioctl(to_fd, _FICLONE, fd)
    except OSError as error:
        if error.errno in _CANNOT_CLONE:
            _uncloneable.add(devices)
        return False
    return True


def _copy(
    pieces: Iterable[memoryview], scratch: Scratch, stage: Stage | None, expected_bytes: int = 0
) -> tuple[Digest, int]:
    hasher = blake3()
    done_bytes = 0
    for piece in pieces:
        hasher.update(piece)
        with disk_errors(scratch.path, max(expected_bytes, done_bytes + piece.nbytes)):
            write_all(scratch.fd, piece, preallocate=False, stage=stage)
        done_bytes += piece.nbytes
    return Digest(hasher.digest()), done_bytes


def _digest_of_pieces(pieces: Iterable[memoryview], stage: Stage | None) -> tuple[Digest, int]:
    hasher = blake3()
    done_bytes = 0
    for piece in pieces:
        hasher.update(piece)
        done_bytes += piece.nbytes
        if stage is not None:
            stage.advance(piece.nbytes)
    return Digest(hasher.digest()), done_bytes


def _gathered(chunks: Iterable[Buffer]) -> Iterator[memoryview]:
    """The same bytes without small pieces."""
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    held_bytes = 0
    for chunk in chunks:
        piece = _bytes_of(chunk)
        if piece.nbytes < _GATHER_BELOW_BYTES and held_bytes + piece.nbytes <= _BUFFER_BYTES:
            buffer[held_bytes : held_bytes + piece.nbytes] = piece
            held_bytes += piece.nbytes
            continue
        if held_bytes:
            yield buffer[:held_bytes]
            held_bytes = 0
        yield piece
    if held_bytes:
        yield buffer[:held_bytes]


def _bytes_of(chunk: Buffer) -> memoryview:
    try:
        view = memoryview(chunk)
        return view.cast("B") if view.nbytes else memoryview(b"")
    except TypeError as error:
        raise Invalid(
            f"a stream gave a chunk of {type(chunk).__name__}, which is no contiguous bytes",
            hint="Encode texts, and copy arrays that are not C-contiguous.",
        ) from error


def _unreadable(source: Path | int, error: OSError) -> Invalid:
    return Invalid(
        f"a file can't be read: {error.strerror}", where=_where(source), hint="Give a regular file that may be read."
    )


def _where(source: Path | int) -> str:
    return f"descriptor {source}" if isinstance(source, int) else str(source)
