"""Sweeping at the store's own face: the order in which rows and files go, and what may be seen between."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from lineal.cas import (
    Blob,
    BlobFiles,
    BlobKind,
    BlobPart,
    BlobStore,
    Changes,
    Digest,
    Environment,
    Manifest,
    ManifestPart,
    digest_of,
)
from lineal.cas.store import CATALOG, DATABASES, VOLUMES
from lineal.cas.sweep import BATCH, Swept, compact, foreseen, sweep
from lineal.errors import BlobCorrupt, BlobMissing

NEVER_US = 2**62
"""Later than any file was written."""


class Shelf:
    """A blob store alone, and the guard of its sweeps."""

    def __init__(self, root: Path) -> None:
        (root / "log").mkdir(parents=True)
        self.environment = Environment(root / "log", DATABASES, map_size_bytes=1 << 30, read_only=False)
        self.blobs = BlobStore(self.environment, BlobFiles(root))
        self.blobs.files.create()
        self.kept: set[Digest] = set()
        self.before_each: Callable[[int], None] = lambda number: None
        self.transactions = 0
        self.movable = True

    @contextmanager
    def exclusively(self) -> Iterator[Changes]:
        self.before_each(self.transactions)
        self.transactions += 1
        with self.environment.begin(write=True) as txn:
            changes = Changes(self.environment, txn)
            yield changes
            changes.flush()

    def spared(self, changes: Changes) -> Collection[Digest]:
        return self.kept

    def may_move(self, changes: Changes) -> bool:
        return self.movable

    def put(self, *pieces: bytes, kind: BlobKind = BlobKind.BYTES) -> tuple[Blob, ...]:
        """Put and commit."""
        with self.blobs.batch() as batch:
            for piece in pieces:
                batch.put(piece, kind)
            receipts = batch.publish()
        self.commit(receipts)
        return receipts

    def commit(self, receipts: tuple[Blob, ...]) -> None:
        """Commit receipts, as a transaction that names them does."""
        with self.environment.begin(write=True) as txn:
            changes = Changes(self.environment, txn)
            self.blobs.check(changes, receipts, ())
            self.blobs.record(changes, receipts)
            changes.flush()
        self.blobs.settle(receipts, 0)

    def sweep(self, before_us: int = NEVER_US) -> Swept:
        """Take everything away that is not kept."""
        return sweep(self.blobs, list(self.blobs.entries()), self, before_us=before_us)

    def digests(self) -> set[Digest]:
        """What the catalog has."""
        return {entry.digest for entry in self.blobs.entries()}

    def files(self) -> int:
        """How many files hold blobs."""
        return sum(1 for _ in self.blobs.files.volumes())


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path / "shelf")
    yield made
    made.environment.close()


def large(number: int) -> bytes:
    """Bytes that get a file of their own."""
    return number.to_bytes(8, "big") * (1 << 18)


def nested(shelf: Shelf, depth: int) -> list[Digest]:
    """Manifests each of which names the next, the last one a blob; from the outermost on."""
    (leaf,) = shelf.put(large(depth))
    digests = [leaf.digest]
    part: BlobPart | ManifestPart = BlobPart(leaf.digest, leaf.size_bytes)
    for _ in range(depth):
        manifest = Manifest("test/1", "nested", None, (("inner", part),))
        shelf.put(manifest.encoded, kind=BlobKind.MANIFEST)
        part = ManifestPart(manifest.digest, manifest.size_bytes)
        digests.append(manifest.digest)
    return digests[::-1]


def test_a_file_is_still_there_in_the_transaction_that_takes_out_its_row(shelf: Shelf) -> None:
    shelf.put(large(1))
    seen = []
    shelf.before_each = lambda _: seen.append((len(shelf.digests()), shelf.files()))
    swept = shelf.sweep()
    assert seen == [(1, 1), (0, 1)]
    assert (swept.blobs, swept.files, swept.freed_bytes) == (1, 1, 1 << 21)
    assert (shelf.digests(), shelf.files()) == (set(), 0)


def test_a_manifest_goes_no_later_than_what_it_names(shelf: Shelf) -> None:
    chain = nested(shelf, 3 * BATCH)
    names = dict(pairwise(chain))
    dangling = []

    def look(_: int) -> None:
        there = shelf.digests()
        dangling.extend(digest for digest, below in names.items() if digest in there and below not in there)

    shelf.before_each = look
    shelf.sweep()
    assert shelf.transactions > 3
    assert dangling == []
    assert (shelf.digests(), shelf.files()) == (set(), 0)


def test_a_blob_that_is_committed_again_between_the_two_transactions_keeps_its_file(shelf: Shelf) -> None:
    (receipt,) = shelf.put(large(1))
    shelf.before_each = lambda number: shelf.commit((receipt,)) if number == 1 else None
    assert shelf.sweep().files == 0
    assert shelf.blobs.read(receipt.digest) == large(1)


def test_a_blob_that_a_batch_relies_on_is_put_back_by_its_commit(shelf: Shelf) -> None:
    shelf.put(large(1))
    with shelf.blobs.batch() as batch:
        digest = batch.put(large(1))
        receipts = batch.publish()
    assert shelf.sweep().files == 1
    shelf.commit(receipts)
    assert shelf.blobs.read(digest) == large(1)


def test_a_commit_that_comes_after_the_file_has_gone_is_refused(shelf: Shelf) -> None:
    (receipt,) = shelf.put(large(1))
    shelf.sweep()
    with pytest.raises(BlobMissing):
        shelf.commit((receipt,))
    shelf.put(large(1))
    assert shelf.blobs.read(receipt.digest) == large(1)


def test_what_the_guard_spares_stays(shelf: Shelf) -> None:
    first, second = shelf.put(large(1), large(2))
    shelf.kept = {second.digest}
    assert shelf.sweep().files == 1
    assert shelf.digests() == {second.digest}
    assert shelf.blobs.read(second.digest) == large(2)
    with pytest.raises(BlobMissing):
        shelf.blobs.read(first.digest)


def test_a_pack_goes_with_the_last_blob_in_it(shelf: Shelf) -> None:
    receipts = shelf.put(*(os.urandom(50_000) for _ in range(4)))
    assert shelf.files() == 1
    shelf.kept = {receipts[0].digest}
    assert (shelf.sweep().files, shelf.files()) == (0, 1)
    assert len(shelf.blobs.read(receipts[0].digest)) == 50_000
    shelf.kept = set()
    assert (shelf.sweep().files, shelf.files()) == (1, 0)


def test_a_pack_whose_users_cannot_be_told_stays(shelf: Shelf) -> None:
    receipts = shelf.put(*(bytes([number]) * 20_000 for number in range(3)))
    with shelf.environment.begin(write=True) as txn:
        volumes = shelf.environment.databases[VOLUMES]
        (place, *_) = [bytes(key) for key, _ in txn.cursor(volumes)]
        assert txn.delete(place, db=volumes)
        txn.put(place[:-1], b"", db=volumes)
    shelf.kept = {one.digest for one in receipts if place.endswith(one.digest)}
    assert len(shelf.kept) == 1
    with pytest.raises(BlobCorrupt, match="table of volumes"):
        shelf.sweep()
    assert shelf.files() == 1


def test_a_blobs_own_file_stays_while_another_is_cut_from_it(shelf: Shelf) -> None:
    base = os.urandom(4 << 20)
    with shelf.blobs.batch() as batch:
        first = batch.put(base)
        shelf.commit(batch.publish())
    with shelf.blobs.batch() as batch:
        second = batch.put(base + os.urandom(1000), after=first)
        shelf.commit(batch.publish())
    shelf.kept = {second}
    foreseen_ = foreseen(
        shelf.blobs,
        [entry for entry in shelf.blobs.entries() if entry.digest == first],
        before_us=NEVER_US,
        compacts=False,
    )
    assert (foreseen_.blobs, foreseen_.files) == (1, 0)
    shelf.sweep()
    assert shelf.blobs.read(second)[: len(base)] == base
    shelf.kept = set()
    shelf.sweep()
    assert shelf.files() == 0


def test_a_file_that_a_row_has_left_for_another_place_is_an_orphan(shelf: Shelf) -> None:
    (receipt,) = shelf.put(large(1))
    with shelf.environment.begin(write=True) as txn:
        txn.delete(receipt.digest, db=shelf.environment.databases[CATALOG])
    assert shelf.sweep(before_us=1).files == 0
    os.utime(shelf.blobs.files.path(receipt.digest), (0, 0))
    assert shelf.sweep(before_us=1).files == 1


def place(shelf: Shelf, digest: Digest) -> object:
    """Where a blob is."""
    return next(entry.place for entry in shelf.blobs.entries() if entry.digest == digest)


def shares(shelf: Shelf, number: int, *, alone: int) -> tuple[list[bytes], list[Digest]]:
    """Blobs that share a pack, of which only one is to stay."""
    pieces = [os.urandom(50_000 + place) for place in range(number)]
    digests = [receipt.digest for receipt in shelf.put(*pieces)]
    shelf.kept = {digests[alone]}
    return pieces, digests


def compacted(shelf: Shelf) -> Swept:
    """Sweep and compact, having foreseen just that."""
    dead = [entry for entry in shelf.blobs.entries() if entry.digest not in shelf.kept]
    expected = foreseen(shelf.blobs, dead, before_us=NEVER_US, compacts=True)
    swept = shelf.sweep()
    compact(shelf.blobs, shelf, swept)
    for name in Swept.__slots__:
        assert getattr(swept, name) == getattr(expected, name)
    return swept


def test_a_pack_of_which_little_is_needed_makes_room_for_a_smaller_one(shelf: Shelf) -> None:
    pieces, digests = shares(shelf, 8, alone=5)
    (before,) = shelf.blobs.files.volumes()
    mapped = shelf.blobs.view(digests[5], len(pieces[5]))
    swept = compacted(shelf)
    (after,) = shelf.blobs.files.volumes()
    assert swept.compacted == 1
    assert before.size_bytes - after.size_bytes == swept.freed_bytes > 350_000
    assert digest_of(shelf.blobs.files.volume_path(after).read_bytes()) == after.digest
    assert shelf.blobs.read(digests[5]) == bytes(mapped) == pieces[5]
    again = Swept()
    compact(shelf.blobs, shelf, again)
    assert again.compacted == 0
    shelf.kept = set()
    assert (shelf.sweep().files, shelf.files()) == (1, 0)


def test_the_file_of_a_blob_that_has_gone_shrinks_to_what_others_were_cut_from(shelf: Shelf) -> None:
    base = os.urandom(4 << 20)
    with shelf.blobs.batch() as batch:
        first = batch.put(base)
        shelf.commit(batch.publish())
    with shelf.blobs.batch() as batch:
        second = batch.put(base[1 << 20 : 2 << 20] + os.urandom(1000) + base[:100_000], after=first)
        shelf.commit(batch.publish())
    shelf.kept = {first, second}
    assert compacted(shelf).compacted == 0
    shelf.kept = {second}
    assert compacted(shelf).freed_bytes > 2 << 20
    assert shelf.blobs.read(second)[: 1 << 20] == base[1 << 20 : 2 << 20]
    assert shelf.blobs.read(second)[-100_000:] == base[:100_000]
    view = shelf.blobs.view(second, (1 << 20) + 101_000, 5, 1 << 20)
    assert bytes(view) == base[(1 << 20) + 5 : 2 << 20]


def test_while_others_may_have_old_rows_nothing_is_moved_and_nothing_is_left_over(shelf: Shelf) -> None:
    pieces, digests = shares(shelf, 8, alone=0)
    shelf.sweep()
    shelf.movable = False
    before = set(shelf.blobs.files.volumes())
    compact(shelf.blobs, shelf, swept := Swept())
    assert (swept.compacted, set(shelf.blobs.files.volumes())) == (0, before)
    assert shelf.blobs.read(digests[0]) == pieces[0]


def test_a_batch_that_relies_on_bytes_nothing_needed_stops_the_move(shelf: Shelf) -> None:
    pieces, digests = shares(shelf, 8, alone=0)
    with shelf.blobs.batch() as batch:
        batch.put(pieces[3])
        receipts = batch.publish()
    shelf.sweep()
    shelf.transactions = 0
    shelf.before_each = lambda number: shelf.commit(receipts) if number == 0 else None
    compact(shelf.blobs, shelf, swept := Swept())
    assert (swept.compacted, shelf.files()) == (0, 1)
    assert [shelf.blobs.read(digests[place]) for place in (0, 3)] == [pieces[0], pieces[3]]


def test_a_damaged_pack_is_not_copied(shelf: Shelf) -> None:
    _, digests = shares(shelf, 8, alone=0)
    shelf.sweep()
    (volume,) = shelf.blobs.files.volumes()
    path = shelf.blobs.files.volume_path(volume)
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(10)
        file.write(b"damage")
    compact(shelf.blobs, shelf, swept := Swept())
    assert (swept.compacted, list(shelf.blobs.files.volumes())) == (0, [volume])
    with pytest.raises(BlobCorrupt):
        shelf.blobs.read(digests[0])


def test_the_old_pack_is_still_there_until_the_rows_that_left_it_are_durable(shelf: Shelf) -> None:
    _, digests = shares(shelf, 8, alone=0)
    shelf.sweep()
    seen = []
    shelf.transactions = 0
    shelf.before_each = lambda number: seen.append((number, shelf.files(), place(shelf, digests[0])))
    compact(shelf.blobs, shelf, Swept())
    assert [(number, files) for number, files, _ in seen] == [(0, 2), (1, 2)]
    assert seen[0][2] != seen[1][2]
    assert shelf.files() == 1
