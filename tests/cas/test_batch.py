"""Batches: where blobs go by size and by what they succeed, and that they all read back."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lineal.cas import Batch, BlobKind, Cut, Digest, Inline, Row, Whole, digest_of
from lineal.cas import batch as batches
from lineal.cas.durable import sync_directory
from lineal.cas.store import Entry
from lineal.errors import StoreFull
from lineal.store import Store

MIB = 1024 * 1024


def commit(store: Store, *puts: tuple[bytes, Digest | None]) -> list[Digest]:
    """Put blobs, each after another, in one batch, and commit them."""
    with store.blobs.batch() as batch:
        digests = [batch.put(data, after=after) for data, after in puts]
        store.append([], batch.publish()).wait()
    return digests


def entry(store: Store, digest: Digest) -> Entry:
    """A blob's row in the catalog."""
    return next(one for one in store.blobs.entries() if one.digest == digest)


def stored_bytes(store: Store) -> int:
    """What blobs and packs take."""
    folders = [store.path / "packs", *(store.path / "blobs").iterdir()]
    return sum(path.stat().st_size for folder in folders for path in folder.iterdir())


def packs(store: Store) -> list[Path]:
    return list((store.path / "packs").iterdir())


def test_medium_blobs_of_one_batch_share_a_pack_that_is_named_by_its_own_bytes(store: Store) -> None:
    data = [os.urandom(20_000 + number) for number in range(100)]
    digests = commit(store, *((one, None) for one in data))
    (pack,) = packs(store)
    assert digest_of(pack.read_bytes()).hex() == pack.name
    assert pack.stat().st_mode & 0o777 == 0o444
    assert [store.blobs.read(digest) for digest in digests] == data
    assert [bytes(store.blobs.view(digest, len(one))) for digest, one in zip(digests, data, strict=True)] == data
    assert all(isinstance(entry(store, digest).place, Cut) for digest in digests)


def test_a_medium_blob_alone_is_a_file_of_its_own(store: Store) -> None:
    (digest,) = commit(store, (b"m" * 50_000, None))
    assert packs(store) == []
    assert isinstance(entry(store, digest).place, Whole)
    assert store.blobs.files.path(digest).read_bytes() == b"m" * 50_000


def test_a_packed_blob_put_again_is_written_no_second_time(store: Store) -> None:
    data = [os.urandom(20_000) for _ in range(3)]
    commit(store, *((one, None) for one in data))
    before = stored_bytes(store)
    commit(store, *((one, None) for one in data))
    assert stored_bytes(store) == before


def test_of_a_large_blob_only_what_its_predecessor_has_not_is_stored(store: Store) -> None:
    first = os.urandom(4 * MIB)
    (one,) = commit(store, (first, None))
    second = first[: 2 * MIB] + b"new" * 1000 + first[2 * MIB :]
    (two,) = commit(store, (second, one))
    assert stored_bytes(store) < len(first) + 20_000
    assert isinstance(entry(store, one).place, Whole)
    assert store.blobs.read(two) == second
    assert bytes(store.blobs.view(two, len(second))) == second
    assert bytes(store.blobs.view(two, len(second), 2 * MIB - 5, 2 * MIB + 10)) == second[2 * MIB - 5 : 2 * MIB + 10]


def test_reading_a_version_never_depends_on_how_many_came_before_it(store: Store) -> None:
    data = os.urandom(2 * MIB)
    (digest,) = commit(store, (data, None))
    for number in range(30):
        data = data[: number * 1000] + os.urandom(100) + data[number * 1000 :]
        (digest,) = commit(store, (data, digest))
    place = entry(store, digest).place
    assert isinstance(place, Cut)
    assert {volume.kind.name for volume in place.volumes()} == {"BLOB", "PACK"}
    files = {volume.digest for volume in place.volumes()}
    cut = {one.digest for one in store.blobs.entries() if isinstance(one.place, Cut)}
    assert not files & cut
    assert store.blobs.read(digest) == data


def test_a_version_that_shares_hardly_anything_is_a_file_of_its_own(store: Store) -> None:
    (one,) = commit(store, (os.urandom(2 * MIB), None))
    (two,) = commit(store, (os.urandom(2 * MIB), one))
    assert isinstance(entry(store, two).place, Whole)


def test_a_shortened_version_takes_nothing_and_is_mapped(store: Store) -> None:
    data = os.urandom(4 * MIB)
    (one,) = commit(store, (data, None))
    before = stored_bytes(store)
    (two,) = commit(store, (data[: 3 * MIB], one))
    assert stored_bytes(store) == before
    view = store.blobs.view(two, 3 * MIB)
    view[:4] = b"XXXX"
    assert store.blobs.read(two) == data[: 3 * MIB]
    assert store.blobs.read(one) == data


def test_a_predecessor_that_is_gone_is_no_predecessor(store: Store) -> None:
    data = os.urandom(2 * MIB)
    (one,) = commit(store, (data, None))
    store.blobs.files.path(one).unlink()
    (two,) = commit(store, (data + b"more", one))
    assert isinstance(entry(store, two).place, Whole)
    assert store.blobs.read(two) == data + b"more"


def test_a_cut_blob_is_read_by_its_writer_before_the_commit_is_done(store: Store) -> None:
    data = os.urandom(2 * MIB)
    (one,) = commit(store, (data, None))
    with store.blobs.batch() as batch:
        two = batch.put(data + b"more", after=one)
        ticket = store.append([], batch.publish())
    assert store.blobs.read(two) == data + b"more"
    ticket.wait()
    assert store.blobs.read(two) == data + b"more"


def test_one_digest_put_as_manifest_and_as_bytes_is_one_blob_whatever_its_size(store: Store) -> None:
    for size_bytes in (100, 20_000, 2 * MIB):
        data = os.urandom(size_bytes)
        with store.blobs.batch() as batch:
            batch.put(os.urandom(30_000))
            digest = batch.put(data)
            assert batch.put(data, BlobKind.MANIFEST) == digest
            receipts = batch.publish()
            store.append([], receipts).wait()
        assert [blob.kind for blob in receipts if blob.digest == digest] == [BlobKind.MANIFEST]
        assert entry(store, digest).kind is BlobKind.MANIFEST


@pytest.mark.parametrize("size_bytes", [10, 20_000, 3 * MIB])
def test_a_stream_and_a_file_are_the_blob_that_their_bytes_are(store: Store, tmp_path: Path, size_bytes: int) -> None:
    data = os.urandom(size_bytes)
    (tmp_path / "file").write_bytes(data)
    with store.blobs.batch() as batch:
        put = batch.put(data)
        streamed = batch.put_stream(data[place : place + 1000] for place in range(0, size_bytes, 1000))
        filed = batch.put_file(tmp_path / "file")
        store.append([], batch.publish()).wait()
    assert (streamed.digest, streamed.size_bytes) == (put, size_bytes)
    assert filed == streamed
    assert store.blobs.read(put) == data
    assert list((store.path / "tmp").iterdir()) == []


def test_a_file_that_succeeds_another_stores_only_what_is_new(store: Store, tmp_path: Path) -> None:
    data = os.urandom(3 * MIB)
    (one,) = commit(store, (data, None))
    (tmp_path / "file").write_bytes(data + b"appended")
    before = stored_bytes(store)
    with store.blobs.batch() as batch:
        part = batch.put_file(tmp_path / "file", after=one)
        store.append([], batch.publish()).wait()
    assert stored_bytes(store) == before + len(b"appended")
    assert store.blobs.read(part.digest) == data + b"appended"


@pytest.mark.parametrize("size_bytes", [100, 20_000, 2 * MIB])
def test_a_put_that_is_never_committed_leaves_no_row(store: Store, size_bytes: int) -> None:
    with store.blobs.batch() as batch:
        digest = batch.put(os.urandom(size_bytes))
        batch.put(os.urandom(20_000))
        batch.publish()
    assert digest not in {one.digest for one in store.blobs.entries()}


def test_small_bytes_are_in_the_row(store: Store) -> None:
    (digest,) = commit(store, (b"small", None))
    assert entry(store, digest).place == Inline(b"small")


@pytest.mark.parametrize("is_successor", [False, True], ids=["found", "succeeded"])
def test_what_a_batch_relies_on_is_put_back_by_its_commit_if_it_was_taken_away_meanwhile(
    store: Store, is_successor: bool
) -> None:
    data = os.urandom(2 * MIB)
    (one,) = commit(store, (data, None))
    with store.blobs.batch() as batch:
        digest = batch.put(data + b"more" * is_successor, after=one)
        receipts = batch.publish()
    store.blobs.files.path(one).unlink()
    store.append([], receipts).wait()
    assert store.blobs.read(digest) == data + b"more" * is_successor
    assert store.blobs.read(one) == data
    assert list((store.path / "tmp").iterdir()) == []


def test_an_abandoned_batch_holds_nothing(store: Store) -> None:
    data = os.urandom(2 * MIB)
    (one,) = commit(store, (data, None))

    def give_up() -> None:
        with store.blobs.batch() as batch:
            batch.put(data)
            batch.put(data + b"more", after=one)
            raise ValueError("given up")

    with pytest.raises(ValueError, match="given up"):
        give_up()
    assert list((store.path / "tmp").iterdir()) == []
    with store.blobs.batch() as batch:
        batch.put(data)
    assert list((store.path / "tmp").iterdir()) == []


def test_a_predecessor_that_lost_bytes_costs_its_successor_nothing_but_space(store: Store) -> None:
    data = os.urandom(2 * MIB)
    (one,) = commit(store, (data, None))
    (two,) = commit(store, (data + b"more", one))
    (pack,) = packs(store)
    pack.unlink()
    (three,) = commit(store, (data + b"more and more", two))
    assert isinstance(entry(store, three).place, Whole)
    assert store.blobs.read(three) == data + b"more and more"


def test_a_file_that_changes_while_it_succeeds_another_is_stored_as_it_was_at_one_moment(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(3 * MIB)
    (one,) = commit(store, (data, None))
    path = tmp_path / "file"
    path.write_bytes(data + b"appended")
    real = batches.succeed

    def change_then_succeed(*args: Any, **named: Any) -> Any:
        path.write_bytes(data + b"APPENDED")
        return real(*args, **named)

    monkeypatch.setattr(batches, "succeed", change_then_succeed)
    with store.blobs.batch() as batch:
        part = batch.put_file(path, after=one)
        store.append([], batch.publish()).wait()
    assert store.blobs.read(part.digest) == data + b"APPENDED"
    assert digest_of(data + b"APPENDED") == part.digest


@pytest.mark.parametrize("is_known", [False, True], ids=["new", "found"])
def test_what_is_taken_away_while_it_is_published_is_put_back_too(
    store: Store, is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(2 * MIB)
    if is_known:
        commit(store, (data, None))
    path = store.blobs.files.path(digest_of(data))
    taken = []

    def take_away(directory: Path) -> None:
        if path.exists() and not taken:
            path.unlink()
            taken.append(path)
        sync_directory(directory)

    with store.blobs.batch() as batch:
        batch.put(data)
        if is_known:
            path.unlink()
        monkeypatch.setattr("lineal.cas.files.sync_directory", take_away)
        receipts = batch.publish()
    store.append([], receipts).wait()
    assert taken == [path]
    assert store.blobs.read(digest_of(data)) == data


def test_what_a_batch_of_another_process_holds_is_put_back_by_the_process_that_commits(store: Store) -> None:
    data = os.urandom(2 * MIB)
    commit(store, (data, None))
    with store.blobs.batch() as batch:
        digest = batch.put(data)
        receipts = batch.publish()
    (held,) = (store.path / "tmp").iterdir()
    held.rename(held.with_name(f"another.7.7.{held.name.rpartition('.')[2]}"))
    store.blobs.files.path(digest).unlink()
    store.append([], receipts).wait()
    assert store.blobs.read(digest) == data


def test_a_predecessor_that_is_collected_at_this_moment_is_no_predecessor(store: Store) -> None:
    data = os.urandom(2 * MIB)
    (one,) = commit(store, (data, None))

    def find(digest: Digest) -> object:
        row = store.blobs._placed.find(digest)
        store.blobs.files.path(one).unlink(missing_ok=True)
        return row

    with Batch(store.blobs.files, find) as batch:  # type: ignore[arg-type]
        digest = batch.put(data + b"more", after=one)
        store.append([], batch.publish()).wait()
    assert store.blobs.read(digest) == data + b"more"


@contextmanager
def room_for_files_of(size_bytes: int) -> Iterator[None]:
    """Let no file grow larger, as on a full disk."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def test_a_pack_that_met_a_full_disk_goes_on_with_the_bytes_that_it_had(store: Store) -> None:
    first, second, third = (os.urandom(size_bytes) for size_bytes in (600_000, 700_000, 50_000))
    with store.blobs.batch() as batch:
        kept = [batch.put(first)]
        with room_for_files_of(500_000), pytest.raises(StoreFull):
            batch.put(second)
        kept += [batch.put(third), batch.put(second)]
        store.append([], batch.publish()).wait()
    assert [store.blobs.read(digest) for digest in kept] == [first, third, second]
    (pack,) = packs(store)
    assert digest_of(pack.read_bytes()).hex() == pack.name


def test_a_row_without_the_bytes_of_its_blob_is_mended_by_whoever_puts_the_blob_again(store: Store) -> None:
    data = os.urandom(900_000)
    with store.exclusively() as changes:
        store.blobs.write_row(changes, digest_of(data), Row(BlobKind.BYTES, len(data), Cut(())), None)
    assert store.blobs.find(digest_of(data)) is None
    (digest,) = commit(store, (data, None))
    assert store.blobs.read(digest) == data


def test_holds_that_no_receipt_needs_end_with_the_publication(store: Store) -> None:
    old = os.urandom(2 * MIB)
    (digest,) = commit(store, (old, None))
    looks = 0

    def find(wanted: Digest) -> Row | None:
        nonlocal looks
        looks += wanted == digest
        return None if looks > 1 and wanted == digest else store.blobs.find(wanted)

    with Batch(store.blobs.files, find) as batch:
        batch.put(old[:MIB] + b"new" + old[MIB:], after=digest)
        blobs = batch.publish()
    store.append([], blobs).wait()
    assert looks == 2
    assert list((store.path / "tmp").iterdir()) == []
