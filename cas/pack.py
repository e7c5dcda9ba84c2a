"""Packs: immutable files in which extents of many blobs lie one after the other.

Invariant: a pack is named by the digest of its own bytes, and its name is durable before any row names it. It is
written once, by one batch, and never appended to: there is no torn tail, and no writer waits for another.
"""

from __future__ import annotations

import os

from blake3 import blake3

from .digest import Buffer, Digest
from .durable import disk_errors, write_all
from .files import BlobFiles, Scratch
from .place import Volume, VolumeKind
from .source import Source, blocks

ALIGNMENT_BYTES = 64
"""Where a blob begins in a pack."""


class PackWriter:
    """Writes one pack."""

    def __init__(self, files: BlobFiles) -> None:
        """Begin an empty pack among the scratch files."""
        self.scratch: Scratch = files.scratch()
        self.size_bytes = 0
        self.volume: Volume | None = None
        """What it has become, once it is sealed."""
        self._hasher = blake3()

    def add(self, data: Buffer) -> int:
        """Add a blob; give its offset."""
        self.pad(-self.size_bytes % ALIGNMENT_BYTES)
        offset = self.size_bytes
        self._write(data)
        return offset

    def pad(self, size_bytes: int) -> None:
        """Leave a gap, which may be none."""
        if size_bytes:
            self._write(bytes(size_bytes))

    def add_from(self, source: Source, start: int, size_bytes: int) -> int:
        """Add a part of a source in constant memory; give its offset."""
        offset = self.size_bytes
        for block in blocks(source, start, start + size_bytes):
            self._write(block)
        return offset

    def _write(self, data: Buffer) -> None:
        with disk_errors(self.scratch.path, memoryview(data).nbytes):
            try:
                write_all(self.scratch.fd, data, preallocate=False)
            except BaseException:
                # A full disk takes a part: the file must stay what was hashed, as more may come once there is room.
                os.ftruncate(self.scratch.fd, self.size_bytes)
                os.lseek(self.scratch.fd, self.size_bytes, os.SEEK_SET)
                raise
        self._hasher.update(data)
        self.size_bytes += memoryview(data).nbytes

    def seal(self) -> Volume:
        """End the pack; publishing its scratch file gives it its name."""
        digest = Digest(self._hasher.digest())
        self.volume = Volume(VolumeKind.PACK, digest, self.size_bytes)
        self.scratch.volume = self.volume
        return self.volume
