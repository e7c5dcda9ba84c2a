"""Blobs in memory."""

from __future__ import annotations

import pytest

from lineal.cas import Blob, BlobKind, Inline, MemoryBlobs, digest_of
from lineal.errors import BlobCorrupt, BlobMissing


def test_what_was_put_is_read_and_views_are_private() -> None:
    blobs = MemoryBlobs()
    digest = blobs.put(b"abc")
    view = blobs.view(digest, 3)
    view[0] = 0
    assert (blobs.read(digest), len(blobs)) == (b"abc", 1)
    with pytest.raises(BlobCorrupt):
        blobs.view(digest, 4)


def test_what_is_not_there_is_asked_of_the_fallback_and_else_missing() -> None:
    below = MemoryBlobs([Blob(digest_of(b"below"), 5, BlobKind.BYTES, Inline(b"below"))])
    above = MemoryBlobs(fallback=below)
    assert above.read(digest_of(b"below")) == b"below"
    assert bytes(above.view(digest_of(b"below"), 5)) == b"below"
    with pytest.raises(BlobMissing):
        above.read(digest_of(b"nowhere"))
