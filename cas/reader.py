"""Reading blobs wherever they are, given what is known of their places."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import BlobCorrupt, BlobMissing
from .digest import Digest, digest_of
from .durable import disk_errors
from .extents import ExtentReader, assemble
from .files import BlobFiles, corrupt
from .place import Cut, Inline, Row, Volume, Whole
from .source import digest_of_source

Finder = Callable[[Digest], Row | None]
"""Says what is known of a blob."""


class PlacedBlobs:
    """A `BlobReader` over files and a way to look places up; a blob that nothing is known of is taken for a file."""

    def __init__(self, files: BlobFiles, row: Finder) -> None:
        """Read from this directory."""
        self._files = files
        self._row = row

    def read(self, digest: Digest) -> bytes:
        """The whole blob, verified against its digest."""
        with disk_errors(self._files.root):
            return self._read(digest)

    def _read(self, digest: Digest) -> bytes:
        row = self._row(digest)
        if row is None or isinstance(row.place, Whole):
            return self._files.read(digest)
        if isinstance(row.place, Inline):
            return self._checked(digest, row.place.data)
        return bytes(self._assembled(digest, row, 0, row.size_bytes))

    def view(self, digest: Digest, size_bytes: int, start: int = 0, stop: int | None = None) -> memoryview:
        """The blob, or a part of it, as writable private memory, mapped copy-on-write where large."""
        with disk_errors(self._files.root):
            return self._view(digest, size_bytes, start, stop)

    def _view(self, digest: Digest, size_bytes: int, start: int, stop: int | None) -> memoryview:
        row = self._row(digest)
        if row is None or isinstance(row.place, Whole):
            return self._files.view(digest, size_bytes, start, stop)
        if row.size_bytes != size_bytes:
            raise corrupt(digest, self._files.root, f"it has {row.size_bytes:,} bytes instead of {size_bytes:,}")
        if isinstance(row.place, Inline):
            return memoryview(bytearray(self._checked(digest, row.place.data)[start:stop]))
        first, last, _ = slice(start, stop).indices(size_bytes)
        return self._assembled(digest, row, first, max(first, last))

    def _assembled(self, digest: Digest, row: Row, start: int, stop: int) -> memoryview:
        """A part of a cut blob; one that was moved to another volume meanwhile is looked up once more."""
        assert isinstance(row.place, Cut)
        try:
            data, found = assemble(self._files, row.place, start, stop)
        except BlobMissing:
            moved = self._row(digest)
            if moved is None or moved.place == row.place:
                # A worker can't look the row up once more; but the blob may have been given a file of its own.
                if self._files.has(digest, row.size_bytes):
                    return self._files.view(digest, row.size_bytes, start, stop)
                raise
            if isinstance(moved.place, Cut):
                return self._assembled(digest, moved, start, stop)
            return self._view(digest, row.size_bytes, start, stop)
        if found is not None and found != digest:
            raise corrupt(digest, self._files.root, "its extents have other bytes")
        return data

    def _checked(self, digest: Digest, data: bytes) -> bytes:
        if digest_of(data) != digest:
            raise BlobCorrupt(
                f"blob {str(digest)[:12]}… is damaged inside the log's database",
                where=self._files.root,
                hint="Run `lineal repair`: it says how to make it again.",
                digest=digest,
            )
        return data

    def find(self, digest: Digest) -> Row | None:
        """What is known of a blob, if its bytes are there as far as can be told without reading them."""
        try:
            row = self._row(digest)
        except BlobCorrupt:
            return None  # Whoever puts the blob again mends its row.
        return row if row is not None and self.is_intact(digest, row, {}) else None

    def is_intact(self, digest: Digest, row: Row, seen: dict[Volume, bool]) -> bool:
        """Whether a row fits its blob, and its files are there with their sizes; ``seen`` remembers those looked at."""
        if isinstance(row.place, Inline):
            return len(row.place.data) == row.size_bytes
        if isinstance(row.place, Whole):
            return self._files.has(digest, row.size_bytes)
        if sum(extent.size_bytes for extent in row.place.extents) != row.size_bytes:
            return False
        volumes = row.place.volumes()
        for volume in volumes - seen.keys():
            seen[volume] = self._files.has_volume(volume)
        return all(seen[volume] for volume in volumes)

    def verify(self, digest: Digest, row: Row) -> None:
        """Read every byte of a blob, in constant memory. Raises `BlobMissing` or `BlobCorrupt`."""
        if isinstance(row.place, Whole):
            self._files.verify(digest, row.size_bytes)
        elif isinstance(row.place, Inline):
            self._checked(digest, row.place.data)
        else:
            try:
                with ExtentReader(self._files, row.place.extents) as reader:
                    found = digest_of_source(reader)
            except OSError as error:
                raise corrupt(digest, self._files.root, f"it can't be read: {error.strerror}") from error
            if found != digest or reader.size_bytes != row.size_bytes:
                raise corrupt(digest, self._files.root, f"its extents have the digest {str(found)[:12]}…")
