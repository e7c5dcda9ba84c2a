"""Sources: bytes that can be read at any place, whether they lie in memory, in a file, or in parts of several."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from blake3 import blake3

from ..errors import BlobCorrupt
from .digest import Buffer, Digest

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

_BLOCK_BYTES = 1024 * 1024


class Source(Protocol):
    """Bytes that can be read at any place, and do not change while they are."""

    size_bytes: int

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill the target with the bytes from an offset on. Raises `BlobCorrupt` if there are too few."""


class BufferSource:
    """Bytes in memory, which can be looked at without a copy.

    Args:
        data: C-contiguous; its items may have any format.
    """

    def __init__(self, data: Buffer) -> None:
        view = memoryview(data)
        self.view = view.cast("B") if view.nbytes else memoryview(b"")
        self.size_bytes = self.view.nbytes

    def read_into(self, offset: int, target: memoryview) -> None:
        target[:] = self.view[offset : offset + len(target)]


class FileSource:
    """The bytes of a file, which are read and never mapped, so that a file cut short is an error and no signal.

    Args:
        fd: Open for reading; stays the caller's to close. Its position is neither used nor moved.
        size_bytes: What the file should hold.
    """

    def __init__(self, fd: int, size_bytes: int) -> None:
        self._fd = fd
        self.size_bytes = size_bytes

    def read_into(self, offset: int, target: memoryview) -> None:
        filled = 0
        while filled < len(target):
            count = os.preadv(self._fd, [target[filled:]], offset + filled)
            if count == 0:
                raise BlobCorrupt(
                    f"the file ends at byte {offset + filled:,} of {self.size_bytes:,}",
                    hint="Don't change files while they are read; `lineal verify` finds damaged blobs.",
                    size_bytes=self.size_bytes,
                    found_bytes=offset + filled,
                )
            filled += count


class Reader:
    """Hands out bytes of a source as arrays: views where it lies in memory, else copies in one buffer of its own.

    An array is good until the next one is asked for.
    """

    def __init__(self, source: Source, buffer_bytes: int) -> None:
        import numpy as np

        self.size_bytes = source.size_bytes
        self._source = source
        view = getattr(source, "view", None)
        self._whole: Array | None = None if view is None else np.frombuffer(view, np.uint8)
        self._buffer = np.empty(0 if view is not None else buffer_bytes, np.uint8)

    def read(self, start: int, stop: int) -> Array:
        """The bytes from one offset up to another, no more than the buffer holds."""
        if self._whole is not None:
            return self._whole[start:stop]
        target = self._buffer[: stop - start]
        self._source.read_into(start, target.data)
        return target


def blocks(source: Source, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
    """A part of a source, a block at a time, each good until the next; memory is not copied."""
    stop = source.size_bytes if stop is None else stop
    buffer = memoryview(b"")
    if not isinstance(source, BufferSource):
        buffer = memoryview(bytearray(min(_BLOCK_BYTES, max(stop - start, 0))))
    for place in range(start, stop, _BLOCK_BYTES):
        size_bytes = min(_BLOCK_BYTES, stop - place)
        if isinstance(source, BufferSource):
            yield source.view[place : place + size_bytes]
        else:
            source.read_into(place, buffer[:size_bytes])
            yield buffer[:size_bytes]


def digest_of_source(source: Source) -> Digest:
    """Digest a source in constant memory."""
    hasher = blake3()
    for block in blocks(source):
        hasher.update(block)
    return Digest(hasher.digest())
