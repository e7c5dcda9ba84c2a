"""The blob store: small blobs in the database, larger ones in files, one way to read either.

The catalog row of a blob is ``place, kind, size`` and, for a small one, its bytes.
Invariant: a blob with a catalog row is there and durable; the row is written in the transaction that first names
the blob, after a look at the file under the write lock.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import BlobCorrupt, BlobMissing, Corrupt
from .batch import Batch
from .blob import Blob, BlobKind, read_manifest, walk
from .digest import Digest, digest_of
from .environment import Changes, Environment
from .files import BlobFiles
from .manifest import ManifestPart

CATALOG = "blobs"
"""The catalog's database inside the environment."""

_ROW = struct.Struct("<BBQ")
_IN_FILE, _INLINE = 0, 1
_SCAN_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """What the catalog says of a blob."""

    digest: Digest
    size_bytes: int
    kind: BlobKind
    is_inline: bool


class BlobStore:
    """Blobs by digest, in an environment and the files beside it. Threads may share it."""

    def __init__(self, environment: Environment, files: BlobFiles) -> None:
        """Use an environment that was opened with the `CATALOG` database."""
        self._env = environment
        self._files = files
        self._pending: dict[Digest, tuple[bytes, int]] = {}

    @property
    def files(self) -> BlobFiles:
        """The file blobs alone, for a process that has no business with the database."""
        return self._files

    def batch(self) -> Batch:
        """Start to put blobs."""
        return Batch(self._files)

    def read(self, digest: Digest) -> bytes:
        """The whole blob, verified against its digest."""
        data = self._inline(digest)
        return self._files.read(digest) if data is None else data

    def view(self, digest: Digest, size_bytes: int, start: int = 0, stop: int | None = None) -> memoryview:
        """The blob as writable private memory, mapped copy-on-write where large."""
        data = self._inline(digest)
        if data is None:
            return self._files.view(digest, size_bytes, start, stop)
        if len(data) != size_bytes:
            raise BlobCorrupt(
                f"blob {str(digest)[:12]}… has {len(data):,} bytes instead of {size_bytes:,}", digest=digest
            )
        return memoryview(bytearray(data[start:stop]))

    def _inline(self, digest: Digest) -> bytes | None:
        pending = self._pending.get(digest)
        if pending is not None:
            return pending[0]
        with self._env.begin() as txn:
            row = txn.get(digest, db=self._env.databases[CATALOG])
        if row is None or row[0] != _INLINE:
            return None
        data = bytes(row[_ROW.size :])
        if digest_of(data) != digest:
            raise BlobCorrupt(
                f"blob {str(digest)[:12]}… is damaged inside the log's database",
                where=self._files.root,
                hint="Restore the store from a copy, or run the step that made it with caching off.",
                digest=digest,
            )
        return data

    def inline_blobs(self, digests: Iterable[Digest]) -> Iterator[Blob]:
        """Those of these blobs that are small, with their bytes, to send along to a process without a database."""
        for digest in digests:
            data = self._inline(digest)
            if data is not None:
                yield Blob(digest, len(data), BlobKind.BYTES, data)

    def holds(self, content: Digest) -> bool:
        """Whether a value can be loaded: its manifest reads and every blob under it is there with its size."""
        try:
            parts = walk(self, read_manifest(self, content))
            return all(
                isinstance(part, ManifestPart) or self._files.has(part.digest, part.size_bytes) for part in parts
            )
        except (BlobMissing, Corrupt):
            return False

    def announce(self, blobs: Iterable[Blob], ticket: int) -> None:
        """Let this process read small blobs whose commit is on its way."""
        for blob in blobs:
            if blob.inline is not None:
                self._pending[blob.digest] = (blob.inline, ticket)

    def settle(self, blobs: Iterable[Blob], ticket: int) -> None:
        """End what `announce` began, the commit having succeeded or failed."""
        for blob in blobs:
            pending = self._pending.get(blob.digest)
            if pending is not None and pending[1] == ticket:
                del self._pending[blob.digest]

    def check(self, changes: Changes, blobs: Iterable[Blob], refs: Iterable[Digest]) -> None:
        """Refuse a commit whose blobs are not there; call it under the write lock, before the first write.

        Raises:
            BlobMissing: A receipt's file is gone, or a reference has neither receipt nor catalog row.
        """
        receipts = set()
        for blob in blobs:
            receipts.add(blob.digest)
            if blob.inline is None and not self._files.has(blob.digest, blob.size_bytes):
                raise self._missing(blob.digest)
        for ref in refs:
            if ref not in receipts and changes.get(CATALOG, ref) is None:
                raise self._missing(ref)

    def record(self, changes: Changes, blobs: Iterable[Blob]) -> None:
        """Write the catalog rows of checked blobs; a row that is there stays, unless it is damaged or says less."""
        for blob in blobs:
            known = changes.get(CATALOG, blob.digest)
            kind = blob.kind if known is None else max(blob.kind, known[1])
            row = _ROW.pack(_IN_FILE if blob.inline is None else _INLINE, kind, blob.size_bytes) + (blob.inline or b"")
            if row != known:
                changes.put(CATALOG, blob.digest, row)

    def entries(self) -> Iterator[Entry]:
        """All committed blobs, by digest, read in short transactions."""
        after = b""
        while True:
            rows = self._page(after)
            yield from rows
            if len(rows) < _SCAN_ROWS:
                return
            after = rows[-1].digest + b"\0"

    def _page(self, start: bytes) -> list[Entry]:
        rows: list[Entry] = []
        with self._env.begin() as txn, txn.cursor(self._env.databases[CATALOG]) as cursor:
            found = cursor.set_range(start) if start else cursor.first()
            while found and len(rows) < _SCAN_ROWS:
                rows.append(_entry(Digest(bytes(cursor.key())), cursor.value()))
                found = cursor.next()
        return rows

    def verify(self, entry: Entry) -> None:
        """Read every byte of a blob. Raises `BlobMissing` or `BlobCorrupt`."""
        if entry.is_inline:
            self.read(entry.digest)
        else:
            self._files.verify(entry.digest, entry.size_bytes)

    def _missing(self, digest: Digest) -> BlobMissing:
        return BlobMissing(
            f"blob {str(digest)[:12]}… is gone",
            where=self._files.path(digest),
            hint="Run the step that made it again with caching off.",
            digest=digest,
        )


def _entry(digest: Digest, row: bytes | memoryview) -> Entry:
    place, kind, size_bytes = _ROW.unpack_from(row)
    return Entry(digest, size_bytes, BlobKind(kind), place == _INLINE)
