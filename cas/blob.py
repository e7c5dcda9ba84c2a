"""Blobs on their way in and out: the receipt of a put, and the two narrow faces of a blob store."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from .digest import Buffer, Digest
from .manifest import Manifest


class BlobKind(IntEnum):
    """What a blob's bytes are, so that a collector can follow manifests without guessing."""

    BYTES = 0
    MANIFEST = 1


@dataclass(frozen=True, slots=True)
class Blob:
    """The receipt of a put: a transaction that names the digest must carry it.

    It pickles, so that a worker can put and another process commit.
    """

    digest: Digest
    size_bytes: int
    kind: BlobKind
    inline: bytes | None
    """The bytes themselves where they are small; None where a durable file holds them."""


class BlobReader(Protocol):
    """Gives out blobs. What it returns has been checked against the digest, or at least the size where mapped."""

    def read(self, digest: Digest) -> bytes:
        """The bytes, verified. Raises `BlobMissing` or `BlobCorrupt`."""

    def view(self, digest: Digest, size_bytes: int) -> memoryview:
        """The bytes as writable private memory: mapped copy-on-write where large.

        No write to it ever reaches the blob. Raises `BlobMissing` or `BlobCorrupt`.
        """


class BlobWriter(Protocol):
    """Takes in blobs; none counts before the batch is published and its receipts are committed."""

    def put(self, data: Buffer, kind: BlobKind = BlobKind.BYTES) -> Digest:
        """Take C-contiguous bytes; known ones cost only their hash."""


def read_manifest(reader: BlobReader, digest: Digest) -> Manifest:
    """Read and decode the manifest of this content id."""
    return Manifest.decode(reader.read(digest))
