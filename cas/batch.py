"""A batch: the blobs of one commit on their way to the disk.

Large buffers are written as they come and become durable together, with one directory sync a directory;
small ones wait in memory for the transaction that will hold them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from .blob import Blob, BlobKind
from .digest import Buffer, Digest, digest_of
from .files import BlobFiles, Scratch
from .manifest import INLINE_MAX_BYTES, BlobPart

_OPEN_MAX = 64


class Batch:
    """Collects blobs; use it as a context manager, so that a failure leaves no scratch file.

    A batch belongs to one thread.
    """

    def __init__(self, files: BlobFiles) -> None:
        """Collect blobs for this directory."""
        self._files = files
        self._receipts: dict[Digest, Blob] = {}
        self._scratches: list[Scratch] = []
        self._known: list[Digest] = []

    def __enter__(self) -> Batch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for scratch in self._scratches:
            scratch.discard()
        self._scratches.clear()

    def put_stream(self, chunks: Iterable[Buffer], *, after: Digest | None = None) -> BlobPart:
        """Take bytes as they come."""
        data = b"".join(chunks)
        return BlobPart(self.put(data, after=after), len(data))

    def put_file(self, path: Path, *, after: Digest | None = None) -> BlobPart:
        """Take the bytes of a file."""
        return self.put_stream([path.read_bytes()], after=after)

    def put(
        self, data: Buffer, kind: BlobKind = BlobKind.BYTES, *, item_bytes: int = 1, after: Digest | None = None
    ) -> Digest:
        """Take C-contiguous bytes, which must not change until this returns; known ones cost only their hash."""
        size_bytes = memoryview(data).nbytes
        inline = bytes(data) if size_bytes <= INLINE_MAX_BYTES else None
        digest = digest_of(data if inline is None else inline)
        receipt = self._receipts.get(digest)
        if receipt is not None:
            if kind > receipt.kind:
                self._receipts[digest] = replace(receipt, kind=kind)
            return digest
        if inline is None:
            self._put_file(digest, data, size_bytes)
        self._receipts[digest] = Blob(digest, size_bytes, kind, inline)
        return digest

    def _put_file(self, digest: Digest, data: Buffer, size_bytes: int) -> None:
        if self._files.has(digest, size_bytes):
            self._known.append(digest)
            return
        self._scratches.append(self._files.write(digest, data))
        if len(self._scratches) >= _OPEN_MAX:
            self._publish_files()

    def publish(self) -> tuple[Blob, ...]:
        """Make all file blobs durable and give the receipts of everything put, for the commit that names them."""
        self._publish_files()
        return tuple(self._receipts.values())

    def _publish_files(self) -> None:
        if self._scratches or self._known:
            scratches, self._scratches = self._scratches, []
            known, self._known = self._known, []
            try:
                self._files.publish(scratches, known)
            except BaseException:
                for digest in (*(scratch.digest for scratch in scratches), *known):
                    self._receipts.pop(digest, None)
                raise
