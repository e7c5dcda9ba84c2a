"""The bytes of one stored file: whole, as a stream, or piece by piece, with no more than a piece in memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from blake3 import blake3

from ..errors import BlobCorrupt, ManifestCorrupt
from ..immutable import Immutable
from .blob import BlobReader
from .digest import Digest
from .manifest import BlobPart

_PIECE_BYTES = 4 * 1024 * 1024
_WHOLE_MAX_BYTES = 1024 * 1024
"""Up to this size a blob is taken whole, and so verified at once."""


class Content(Immutable):
    """Bytes inside a manifest, or in a blob that is read when they are asked for."""

    part: bytes | BlobPart
    reader: BlobReader

    @property
    def size_bytes(self) -> int:
        """Their number."""
        return len(self.part) if isinstance(self.part, bytes) else self.part.size_bytes

    def read_bytes(self) -> bytes:
        """All of them, verified."""
        if isinstance(self.part, bytes):
            return self.part
        data = self.reader.read(self.part.digest)
        if len(data) != self.part.size_bytes:
            raise ManifestCorrupt(
                f"a file of {self.part.size_bytes:,} bytes is said to be a blob of {len(data):,}",
                where=str(self.part.digest),
            )
        return data

    def open(self) -> BinaryIO:
        """A stream over them that can seek. Read from start to end it is verified: at its end, if it is large."""
        raw = _ContentStream(self)
        return io.BufferedReader(raw, max(1, min(self.size_bytes, _WHOLE_MAX_BYTES)))

    def pieces(self) -> Iterator[memoryview]:
        """All of them in order, in pieces of a few MiB; the last one comes only if all have the right digest."""
        hasher = blake3()
        for start in range(0, self.size_bytes, _PIECE_BYTES):
            piece = self._view(start, min(start + _PIECE_BYTES, self.size_bytes))
            hasher.update(piece)
            if start + _PIECE_BYTES >= self.size_bytes:
                self._verify(Digest(hasher.digest()))
            yield piece
        if not self.size_bytes:
            self._verify(Digest(hasher.digest()))

    def _view(self, start: int, stop: int) -> memoryview:
        if isinstance(self.part, bytes):
            return memoryview(self.part)[start:stop]
        return self.reader.view(self.part.digest, self.part.size_bytes, start, stop)

    def _verify(self, found: Digest) -> None:
        if isinstance(self.part, BlobPart) and found != self.part.digest:
            raise BlobCorrupt(
                f"blob {str(self.part.digest)[:12]}… is damaged: its bytes have the digest {str(found)[:12]}…",
                hint="Run `lineal verify`; a step that made it can make it again with caching off.",
                digest=self.part.digest,
            )


class _ContentStream(io.RawIOBase):
    """The unbuffered stream: hashes on as long as it is read in order, and checks the digest at the end."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._offset = 0
        self._hasher = blake3()
        self._hashed_bytes = 0
        is_small = content.size_bytes <= _WHOLE_MAX_BYTES
        self._whole = memoryview(content.read_bytes()) if is_small else None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._offset

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self._content.size_bytes}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._offset = base + offset
        return self._offset

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        start = self._offset
        stop = min(start + min(len(buffer), _PIECE_BYTES), self._content.size_bytes)
        if stop <= start:
            return 0
        if self._whole is not None:
            piece = self._whole[start:stop]
        else:
            piece = self._content._view(start, stop)
            self._hash(start, piece)
        buffer[: stop - start] = piece
        self._offset = stop
        return stop - start

    def readall(self) -> bytes:
        start = self._offset
        self._offset = max(start, self._content.size_bytes)
        if self._whole is not None:
            return bytes(self._whole[start:])
        if start == 0:
            return self._content.read_bytes()
        return bytes(self._content._view(start, self._content.size_bytes))

    def _hash(self, start: int, piece: memoryview) -> None:
        if start == self._hashed_bytes:
            self._hasher.update(piece)
            self._hashed_bytes += piece.nbytes
            if self._hashed_bytes == self._content.size_bytes:
                self._content._verify(Digest(self._hasher.digest()))
