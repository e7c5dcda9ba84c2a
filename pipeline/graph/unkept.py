"""Blobs that are not kept: for what is only looked at, such as the literals of a run that is foreseen."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from ...cas import Blob, BlobKind, BlobStore, Digest, MemoryBlobs
from ...cas.digest import Buffer, digest_of
from ...cas.manifest import BlobPart
from ...cas.source import Source, digest_of_source

_KEPT_MAX_BYTES = 1024 * 1024


class Unkept(MemoryBlobs):
    """Takes in blobs for their digests, and keeps small ones as long as it lives, to be compared with stored ones."""

    def __init__(self, store: BlobStore) -> None:
        """Keep nothing of what is put; what is not here is asked of the store."""
        super().__init__(fallback=store)
        self._store = store
        self._taken: set[Digest] = set()

    def holds(self, content: Digest) -> bool:
        """Whether all bytes of a value would be there: it was put, or the store holds it."""
        return content in self._taken or self._store.holds(content)

    def batch(self) -> Self:
        """What takes the next blobs: itself."""
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def put(
        self, data: Buffer, kind: BlobKind = BlobKind.BYTES, *, item_bytes: int = 1, after: Digest | None = None
    ) -> Digest:
        """Take bytes; large ones cost only their hash."""
        digest = digest_of(data) if memoryview(data).nbytes > _KEPT_MAX_BYTES else super().put(data)
        self._taken.add(digest)
        return digest

    def put_source(self, source: Source, *, after: Digest | None = None) -> BlobPart:
        """Take bytes that can be read at any place; large ones cost only their hash."""
        if source.size_bytes <= _KEPT_MAX_BYTES:
            return super().put_source(source)
        return BlobPart(digest_of_source(source), source.size_bytes)

    def publish(self) -> tuple[Blob, ...]:
        """Nothing: there are no receipts for what is not kept."""
        return ()
