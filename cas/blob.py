"""Blobs on their way in and out: the receipt of a put, and the two narrow faces of a blob store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from ..immutable import Immutable
from .digest import Buffer, Digest
from .manifest import BlobPart, Manifest, ManifestPart
from .place import BlobKind, Inline, Place
from .source import Source


class Blob(Immutable):
    """The receipt of a put: a transaction that names the digest must carry it.

    It pickles, so that a worker can put and another process commit.
    """

    digest: Digest
    size_bytes: int
    kind: BlobKind
    place: Place
    """Where the bytes are: here, where they are small, else in durable files."""

    @property
    def inline(self) -> bytes | None:
        """The bytes themselves where they are small."""
        return self.place.data if isinstance(self.place, Inline) else None


class BlobReader(Protocol):
    """Gives out blobs. What it returns has been checked against the digest, or at least the size where mapped."""

    def read(self, digest: Digest) -> bytes:
        """The bytes, verified. Raises `BlobMissing` or `BlobCorrupt`."""

    def view(self, digest: Digest, size_bytes: int, start: int = 0, stop: int | None = None) -> memoryview:
        """The bytes, or those from one offset up to another, as writable private memory.

        Mapped copy-on-write where large; a part of a blob touches only its own pages, and is not verified.
        No write to it ever reaches the blob. Raises `BlobMissing` or `BlobCorrupt`.
        """


class BlobWriter(Protocol):
    """Takes in blobs; none counts before the batch is published and its receipts are committed.

    Each put may say what the bytes succeed: a blob that holds much of the same, of which only the rest is then stored.
    """

    def put(
        self, data: Buffer, kind: BlobKind = BlobKind.BYTES, *, item_bytes: int = 1, after: Digest | None = None
    ) -> Digest:
        """Take C-contiguous bytes; known ones cost only their hash.

        Args:
            data: Must not change until this returns.
            kind: What the bytes are.
            item_bytes: Size of the elements that the bytes are made of, where they are.
            after: The blob that these bytes succeed.
        """

    def put_source(self, source: Source, *, after: Digest | None = None) -> BlobPart:
        """Take bytes that can be read at any place, in constant memory; they must not change until this returns."""

    def put_stream(self, chunks: Iterable[Buffer], *, after: Digest | None = None) -> BlobPart:
        """Take bytes as they come, in constant memory."""

    def put_file(self, path: Path | int, *, after: Digest | None = None) -> BlobPart:
        """Take the bytes of a regular file as they are now, in constant memory; a symbolic link is followed.

        An open descriptor is read from its start, wherever it stands.
        """


def read_manifest(reader: BlobReader, digest: Digest) -> Manifest:
    """Read and decode the manifest of this content id."""
    return Manifest.decode(reader.read(digest))


def walk(reader: BlobReader, manifest: Manifest) -> Iterator[BlobPart | ManifestPart]:
    """Everything that a manifest names, directly or through other manifests; a shared manifest is entered once."""
    entered: set[Digest] = set()
    waiting = [manifest]
    while waiting:
        for part in waiting.pop().named():
            yield part
            if isinstance(part, ManifestPart) and part.digest not in entered:
                entered.add(part.digest)
                waiting.append(read_manifest(reader, part.digest))
