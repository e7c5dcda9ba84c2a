"""Sources: bytes that can be read at any place, be they in memory or in files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

from blake3 import blake3

from ..errors import BlobCorrupt
from .digest import Buffer, Digest

BLOCK_BYTES = 1024 * 1024


class Source(Protocol):
    """Bytes that can be read at any place."""

    @property
    def size_bytes(self) -> int:
        """How many there are."""

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill the target with the bytes from an offset on, which must be there."""


class BufferSource:
    """Bytes in memory."""

    def __init__(self, data: Buffer) -> None:
        """Take C-contiguous bytes; nothing is copied."""
        view = memoryview(data)
        self.view = view.cast("B") if view.nbytes else memoryview(b"")
        self.size_bytes = view.nbytes

    def read_into(self, offset: int, target: memoryview) -> None:
        """Copy bytes."""
        target[:] = self.view[offset : offset + target.nbytes]


class FileSource:
    """Bytes in an open file, which is never mapped: a file that shrinks meanwhile is an error, not a signal."""

    def __init__(self, fd: int, size_bytes: int) -> None:
        """Read this descriptor, which stays the caller's."""
        self._fd = fd
        self.size_bytes = size_bytes

    def read_into(self, offset: int, target: memoryview) -> None:
        """Read bytes. Raises `BlobCorrupt` where the file ends too early."""
        done = 0
        while done < target.nbytes:
            count = os.preadv(self._fd, [target[done:]], offset + done)
            if count == 0:
                raise BlobCorrupt(
                    f"a file of {self.size_bytes:,} bytes ends at {offset + done:,}",
                    hint="Let nothing write to it while it is read.",
                )
            done += count


def blocks(source: Source, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
    """A part of a source, a block at a time, each valid until the next; memory is not copied."""
    stop = source.size_bytes if stop is None else stop
    if isinstance(source, BufferSource):
        for place in range(start, stop, BLOCK_BYTES):
            yield source.view[place : min(place + BLOCK_BYTES, stop)]
        return
    buffer = memoryview(bytearray(min(BLOCK_BYTES, max(stop - start, 0))))
    for place in range(start, stop, BLOCK_BYTES):
        block = buffer[: min(BLOCK_BYTES, stop - place)]
        source.read_into(place, block)
        yield block


def digest_of_source(source: Source) -> Digest:
    """Digest a source in constant memory."""
    hasher = blake3()
    for block in blocks(source):
        hasher.update(block)
    return Digest(hasher.digest())
