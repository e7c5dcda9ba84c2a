"""Blobs in memory: beside a file store for bytes that travel with a task, and alone where nothing should be kept."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import BlobCorrupt, BlobMissing
from .blob import Blob, BlobReader
from .digest import Buffer, Digest, digest_of
from .ingest import opened, pieces_of
from .manifest import BlobPart
from .place import BlobKind
from .source import Source, blocks


class MemoryBlobs:
    """A `BlobReader` and `BlobWriter` over a dict."""

    def __init__(self, blobs: Iterable[Blob] = (), fallback: BlobReader | None = None) -> None:
        """Start with the inline bytes of these blobs; what is not here is asked of the fallback."""
        self._data: dict[Digest, bytes] = {blob.digest: blob.inline for blob in blobs if blob.inline is not None}
        self._fallback = fallback

    def put(
        self, data: Buffer, kind: BlobKind = BlobKind.BYTES, *, item_bytes: int = 1, after: Digest | None = None
    ) -> Digest:
        """Keep a copy of the bytes; what else is known of them is of no interest here."""
        digest = digest_of(data)
        self._data.setdefault(digest, bytes(data))
        return digest

    def put_source(self, source: Source, *, after: Digest | None = None) -> BlobPart:
        """Keep the bytes."""
        return self.put_stream(blocks(source))

    def put_stream(self, chunks: Iterable[Buffer], *, after: Digest | None = None) -> BlobPart:
        """Keep the bytes; each chunk is taken before the next is asked for, which may come in the same memory."""
        data = bytearray()
        for chunk in chunks:
            data += chunk
        return BlobPart(self.put(data), len(data))

    def put_file(self, path: Path | int, *, after: Digest | None = None) -> BlobPart:
        """Keep the bytes of a file."""
        with opened(path, follow_symlinks=True) as fd:
            return self.put_stream(map(bytes, pieces_of(fd, path)))

    def read(self, digest: Digest) -> bytes:
        """The bytes."""
        data = self._data.get(digest)
        if data is not None:
            return data
        if self._fallback is None:
            raise BlobMissing(f"blob {str(digest)[:12]}… is not in memory", digest=digest)
        return self._fallback.read(digest)

    def view(self, digest: Digest, size_bytes: int, start: int = 0, stop: int | None = None) -> memoryview:
        """A private copy of the bytes."""
        data = self._data.get(digest)
        if data is None and self._fallback is not None:
            return self._fallback.view(digest, size_bytes, start, stop)
        data = self.read(digest)
        if len(data) != size_bytes:
            raise BlobCorrupt(f"blob {str(digest)[:12]}… has {len(data):,} bytes, not {size_bytes:,}", digest=digest)
        return memoryview(bytearray(data[start:stop]))

    def __len__(self) -> int:
        return len(self._data)
