"""Reading cut blobs: their extents, put together in private memory or read at any place."""

from __future__ import annotations

import mmap
import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from types import TracebackType

from blake3 import blake3

from .digest import Digest, digest_of
from .files import MAP_FROM_BYTES, BlobFiles, corrupt
from .mapping import map_privately
from .place import Cut, Extent, Volume
from .progress import Stage

_OPEN_MAX = 64
_READ_BYTES = 4 * 1024 * 1024
_HUGE_PAGES_FROM_BYTES = 4 * 1024 * 1024
_WORD_BYTES = 8


class ExtentReader:
    """Reads extents, one after the other, as if they were one file. Use it with ``with``; it belongs to one thread."""

    def __init__(self, files: BlobFiles, extents: Sequence[Extent]) -> None:
        """Open nothing yet: volumes are opened as they are met, 64 at a time."""
        self._files = files
        self._extents = extents
        self._ends = list(accumulate(extent.size_bytes for extent in extents))
        self._fds: OrderedDict[Volume, int] = OrderedDict()
        self.size_bytes = self._ends[-1] if self._ends else 0

    def __enter__(self) -> ExtentReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._fds:
            os.close(self._fds.popitem()[1])

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill the target with the bytes from an offset on. Raises `BlobMissing` or `BlobCorrupt`."""
        index = bisect_right(self._ends, offset)
        done = 0
        while done < target.nbytes:
            volume, place, size_bytes = self._extents[index]
            skipped = offset + done - (self._ends[index] - size_bytes)
            length = min(size_bytes - skipped, target.nbytes - done)
            self._fill(volume, place + skipped, target[done : done + length])
            done += length
            index += 1

    def _fill(self, volume: Volume, offset: int, target: memoryview) -> None:
        fd = self._fd(volume)
        done = 0
        while done < target.nbytes:
            count = os.preadv(fd, [target[done : done + _READ_BYTES]], offset + done)
            if count == 0:
                raise corrupt(volume.digest, self._files.volume_path(volume), "it ends too early")
            done += count

    def _fd(self, volume: Volume) -> int:
        fd = self._fds.get(volume)
        if fd is not None:
            self._fds.move_to_end(volume)
            return fd
        if len(self._fds) >= _OPEN_MAX:
            os.close(self._fds.popitem(last=False)[1])
        fd = self._fds[volume] = self._files.open_volume(volume)
        return fd


def assemble(files: BlobFiles, place: Cut, start: int, stop: int) -> tuple[memoryview, Digest | None]:
    """A part of a cut blob as writable private memory, mapped if it lies in one place, else read together.

    What was read whole is digested on the way, on another core where it is large; what is mapped has no digest.
    """
    extents = tuple(place.within(start, stop))
    for extent in extents:  # To touch what is mapped beyond the end of a file ends the process.
        if extent.offset + extent.size_bytes > extent.volume.size_bytes:
            raise corrupt(extent.volume.digest, files.volume_path(extent.volume), "it ends too early")
    if is_mapped(Cut(extents)):
        return _mapped(files, extents[0]), None
    target = private_memory(stop - start)
    is_whole = sum(extent.size_bytes for extent in place.extents) == target.nbytes
    with ExtentReader(files, extents) as reader:
        if target.nbytes > _READ_BYTES:
            return target, _fill_in_steps(target, reader, is_whole)
        reader.read_into(0, target)
    return target, digest_of(target) if is_whole else None


def _fill_in_steps(target: memoryview, reader: ExtentReader, is_whole: bool) -> Digest | None:
    from concurrent.futures import Future, ThreadPoolExecutor

    stage = Stage("loading", target.nbytes)
    hasher = blake3()
    # A pool of its own: one that outlived the call would not survive a fork.
    with ThreadPoolExecutor(1, "lineal-digest") as pool:
        digested: list[Future[object]] = []
        for done in range(0, target.nbytes, _READ_BYTES):
            step = target[done : done + _READ_BYTES]
            reader.read_into(done, step)
            stage.advance(step.nbytes)
            if is_whole:
                digested.append(pool.submit(hasher.update, step))
        for future in digested:
            future.result()
    return Digest(hasher.digest()) if is_whole else None


def is_mapped(place: Cut) -> bool:
    """Whether a blob's extents are mapped: one large one, at which elements are aligned."""
    first = place.extents[0] if len(place.extents) == 1 else None
    return first is not None and first.size_bytes >= MAP_FROM_BYTES and first.offset % _WORD_BYTES == 0


def _mapped(files: BlobFiles, extent: Extent) -> memoryview:
    fd = files.open_volume(extent.volume)
    try:
        return map_privately(fd, extent.offset, extent.size_bytes)
    finally:
        os.close(fd)


def private_memory(size_bytes: int) -> memoryview:
    """New memory; where it is large, in huge pages: filling it then costs a quarter of the time."""
    if size_bytes < _HUGE_PAGES_FROM_BYTES:
        return memoryview(bytearray(size_bytes))
    memory = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        try:
            memory.madvise(mmap.MADV_HUGEPAGE)
        except OSError:
            return memoryview(memory)  # A kernel without them; small pages do as well.
    return memoryview(memory)
