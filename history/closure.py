"""Closure: the blobs that contents are made of, and what they take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ..cas import BlobKind, BlobStore, Digest, read_manifest, walk
from ..cas.store import Entry
from ..errors import BlobMissing, Corrupt, LinealError


class Closure:
    """Contents with all blobs under them, each blob counted once however many share it."""

    def __init__(self, blobs: BlobStore, roots: Iterable[Digest]) -> None:
        """Follow these roots: content ids, and blobs that are no values.

        Raises:
            BlobMissing, Corrupt: A manifest can't be read, so that what it needs is not known.
        """
        self._blobs = blobs
        self.catalog: dict[Digest, Entry] = {entry.digest: entry for entry in blobs.entries()}
        """Every committed blob, as the catalog had it."""
        self._uses: Counter[Digest] = Counter()
        self.size_bytes = 0
        """What the blobs take together."""
        for root in roots:
            self.add(root)

    def add(self, root: Digest) -> None:
        """Take in one more root."""
        for digest in self.below(root):
            self._uses[digest] += 1
            if self._uses[digest] == 1:
                self.size_bytes += self._size_bytes(digest)

    def drop(self, root: Digest) -> None:
        """Leave out a root that was taken in."""
        for digest in self.below(root):
            self._uses[digest] -= 1
            if not self._uses[digest]:
                del self._uses[digest]
                self.size_bytes -= self._size_bytes(digest)

    def below(self, root: Digest) -> set[Digest]:
        """A root and all that it needs."""
        return {root, *below(self._blobs, self.catalog, root)}

    def _size_bytes(self, digest: Digest) -> int:
        entry = self.catalog.get(digest)
        return 0 if entry is None else entry.size_bytes

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._uses


def below(blobs: BlobStore, catalog: dict[Digest, Entry], root: Digest) -> Iterator[Digest]:
    """What a root needs beside itself, once each; nothing where it is no value.

    Raises:
        BlobMissing, Corrupt: Its manifest, or one below it, can't be read.
    """
    entry = catalog.get(root)
    if entry is not None and entry.kind is BlobKind.MANIFEST:
        try:
            yield from {part.digest for part in walk(blobs, read_manifest(blobs, root))}
        except (BlobMissing, Corrupt) as error:
            raise _unknown(root, error) from error


def _unknown(root: Digest, error: BlobMissing | Corrupt) -> LinealError:
    return error.about(
        f"what content {str(root)[:12]}… needs can't be told",
        hint="Run `lineal verify` for what is damaged; restore that, or release the versions that it hurts.",
    )
