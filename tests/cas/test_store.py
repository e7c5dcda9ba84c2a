"""The blob store: small and large blobs alike, and commits that name what is not there."""

from __future__ import annotations

import os

import pytest

from lineal.cas import BlobKind, BlobPart, Digest, Manifest, digest_of
from lineal.cas.store import CATALOG, Entry
from lineal.errors import BlobCorrupt, BlobMissing
from lineal.store import Store

SMALL, LARGE = b"small", b"large" * 10_000


def commit(store: Store, *blobs: tuple[bytes, BlobKind]) -> None:
    """Put blobs and commit their receipts."""
    with store.blobs.batch() as batch:
        for data, kind in blobs:
            batch.put(data, kind)
        store.append([], batch.publish()).wait()


def entries(store: Store) -> dict[Digest, Entry]:
    """The catalog."""
    return {entry.digest: entry for entry in store.blobs.entries()}


@pytest.mark.parametrize("data", [b"", SMALL, LARGE])
def test_committed_blobs_read_back_and_are_in_the_catalog(store: Store, data: bytes) -> None:
    commit(store, (data, BlobKind.BYTES))
    digest = digest_of(data)
    assert store.blobs.read(digest) == data
    assert bytes(store.blobs.view(digest, len(data))) == data
    entry = entries(store)[digest]
    assert (entry.size_bytes, entry.kind, entry.is_inline) == (len(data), BlobKind.BYTES, len(data) < 16_384)


def test_small_blobs_are_read_by_their_writer_before_the_commit_is_done(store: Store) -> None:
    with store.blobs.batch() as batch:
        digest = batch.put(SMALL)
        store.append([], batch.publish())
    assert store.blobs.read(digest) == SMALL
    store.flush()
    assert store.blobs.read(digest) == SMALL


def test_a_commit_is_refused_if_a_file_it_names_is_gone_for_good(store: Store) -> None:
    with store.blobs.batch() as batch:
        digest = batch.put(LARGE)
        blobs = batch.publish()
    store.blobs.files.path(digest).unlink()
    for held in (store.path / "tmp").iterdir():
        held.unlink()
    before = store.head()
    with pytest.raises(BlobMissing):
        store.append([], blobs).wait()
    assert store.head() == before
    assert digest not in entries(store)


def test_a_value_counts_as_held_only_while_every_blob_under_it_is_there(store: Store) -> None:
    manifest = Manifest("x/1", "t", None, (("p", BlobPart(digest_of(LARGE), len(LARGE))),))
    assert not store.blobs.holds(manifest.digest)
    commit(store, (LARGE, BlobKind.BYTES), (manifest.encoded, BlobKind.MANIFEST))
    assert store.blobs.holds(manifest.digest)
    os.truncate(store.blobs.files.path(digest_of(LARGE)), 7)
    assert not store.blobs.holds(manifest.digest)


@pytest.mark.parametrize("lost", ["flipped", "gone"])
def test_a_value_that_was_held_is_so_no_more_once_its_manifest_is_damaged_or_gone(store: Store, lost: str) -> None:
    manifest = Manifest("builtins/1", "int", 7)
    content = manifest.digest
    commit(store, (manifest.encoded, BlobKind.MANIFEST))
    assert [store.blobs.holds(content) for _ in range(2)] == [True, True]
    with store.exclusively() as changes:
        row = changes.get(CATALOG, content)
        assert row is not None
        if lost == "flipped":
            changes.put(CATALOG, content, row[:-1] + bytes([row[-1] ^ 1]))
        else:
            changes.delete(CATALOG, content)
    assert not store.blobs.holds(content)


def test_a_blob_once_known_as_a_manifest_stays_one(store: Store) -> None:
    commit(store, (SMALL, BlobKind.BYTES))
    commit(store, (SMALL, BlobKind.MANIFEST))
    commit(store, (SMALL, BlobKind.BYTES))
    assert entries(store)[digest_of(SMALL)].kind is BlobKind.MANIFEST


def test_a_flipped_byte_in_a_small_blob_is_found_and_the_next_commit_mends_it(store: Store) -> None:
    commit(store, (SMALL, BlobKind.BYTES))
    digest = digest_of(SMALL)
    with store._env.begin(write=True) as txn:
        row = bytearray(txn.get(digest, db=store._env.databases[CATALOG]))
        row[-1] ^= 1
        txn.put(digest, bytes(row), db=store._env.databases[CATALOG])
    with pytest.raises(BlobCorrupt):
        store.blobs.read(digest)
    commit(store, (SMALL, BlobKind.BYTES))
    assert store.blobs.read(digest) == SMALL


def test_all_blobs_are_listed_once_in_order(store: Store) -> None:
    before = {entry.digest for entry in store.blobs.entries()}
    data = [os.urandom(12) for _ in range(2500)]
    commit(store, *((one, BlobKind.BYTES) for one in data))
    listed = [entry.digest for entry in store.blobs.entries()]
    assert listed == sorted(listed)
    assert set(listed) - before == {digest_of(one) for one in data}
    assert len(listed) == len(set(listed))
