"""File blobs and batches: publication, reading, and what is found when the disk lies."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from lineal.cas import Batch, BlobFiles, BlobKind, digest_of
from lineal.cas.extents import assemble
from lineal.cas.files import MAP_FROM_BYTES
from lineal.cas.place import Cut, Extent, Volume, VolumeKind, volumes_of
from lineal.cas.process import ProcessStamp
from lineal.errors import BlobCorrupt, BlobMissing, StoreBroken, StoreFull

SMALL, MEDIUM, LARGE = b"s" * 100, b"m" * 50_000, b"l" * (MAP_FROM_BYTES + 5)


@pytest.fixture
def files(tmp_path: Path) -> BlobFiles:
    """An empty directory of blobs."""
    made = BlobFiles(tmp_path)
    made.create()
    return made


def put(files: BlobFiles, data: bytes) -> None:
    """Put and publish one blob."""
    with Batch(files) as batch:
        batch.put(data)
        batch.publish()


def scratch_files(files: BlobFiles) -> list[str]:
    """What lies in the scratch directory."""
    return os.listdir(files.root / "tmp")


def test_small_blobs_stay_in_the_receipt_and_large_ones_become_read_only_files(files: BlobFiles) -> None:
    with Batch(files) as batch:
        batch.put(SMALL, BlobKind.MANIFEST)
        batch.put(MEDIUM)
        small, medium = batch.publish()
    assert (small.inline, small.kind) == (SMALL, BlobKind.MANIFEST)
    assert (medium.inline, medium.size_bytes) == (None, len(MEDIUM))
    path = files.path(medium.digest)
    assert path.read_bytes() == MEDIUM
    assert path.stat().st_mode & 0o777 == 0o444
    files.release(volumes_of(medium.digest, medium.size_bytes, medium.place))
    assert scratch_files(files) == []


def test_bytes_that_are_there_are_written_no_second_time(files: BlobFiles) -> None:
    put(files, MEDIUM)
    before = files.path(digest_of(MEDIUM)).stat().st_ino
    put(files, MEDIUM)
    assert files.path(digest_of(MEDIUM)).stat().st_ino == before


def test_a_file_of_the_wrong_size_is_replaced_by_the_next_put(files: BlobFiles) -> None:
    put(files, MEDIUM)
    path = files.path(digest_of(MEDIUM))
    path.chmod(0o644)
    path.write_bytes(b"half")
    put(files, MEDIUM)
    assert files.read(digest_of(MEDIUM)) == MEDIUM


def test_an_abandoned_batch_leaves_no_scratch_file(files: BlobFiles) -> None:
    with Batch(files) as batch:
        batch.put(MEDIUM)
        batch.put(MEDIUM + b"another")
        batch.put(LARGE)
        assert len(scratch_files(files)) == 2
    assert scratch_files(files) == []
    assert not files.has(digest_of(LARGE), len(LARGE))


@pytest.mark.parametrize("data", [MEDIUM, LARGE], ids=["read", "mapped"])
def test_a_mapped_blob_never_changes_whatever_is_done_to_what_was_loaded(files: BlobFiles, data: bytes) -> None:
    put(files, data)
    view = files.view(digest_of(data), len(data))
    view[:4] = b"XXXX"
    assert bytes(view[:5]) == b"XXXX" + data[4:5]
    assert files.read(digest_of(data)) == data


def test_a_mapped_view_outlives_the_removal_of_its_file(files: BlobFiles) -> None:
    put(files, LARGE)
    view = files.view(digest_of(LARGE), len(LARGE))
    files.path(digest_of(LARGE)).unlink()
    assert view == LARGE


def test_more_blobs_can_be_mapped_at_once_than_files_can_be_open(files: BlobFiles) -> None:
    put(files, LARGE)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    try:
        views = [files.view(digest_of(LARGE), len(LARGE)) for _ in range(500)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    views[7][:1] = b"X"
    assert [bytes(view[:2]) for view in views[6:9]] == [b"ll", b"Xl", b"ll"]


def test_a_map_is_given_back_when_nothing_made_of_it_is_left(files: BlobFiles) -> None:
    put(files, LARGE)
    path = str(files.path(digest_of(LARGE)))
    part = memoryview(files.view(digest_of(LARGE), len(LARGE)))[5:9]
    assert path in Path("/proc/self/maps").read_text()
    assert bytes(part) == b"llll"
    del part
    assert path not in Path("/proc/self/maps").read_text()


def test_a_missing_blob_is_said_to_be_missing(files: BlobFiles) -> None:
    digest = digest_of(MEDIUM)
    with pytest.raises(BlobMissing) as caught:
        files.read(digest)
    assert caught.value.details["digest"] == digest
    with pytest.raises(BlobMissing):
        files.view(digest, len(MEDIUM))


@pytest.fixture(params=["truncated", "extended", "flipped"])
def damaged(request: pytest.FixtureRequest, files: BlobFiles) -> bytes:
    """The bytes of a blob whose file was damaged."""
    put(files, MEDIUM)
    path = files.path(digest_of(MEDIUM))
    path.chmod(0o644)
    data = bytearray(MEDIUM)
    if request.param == "truncated":
        del data[-1]
    elif request.param == "extended":
        data += b"x"
    else:
        data[123] ^= 1
    path.write_bytes(data)
    return MEDIUM


def test_damage_is_found_however_the_blob_is_read(files: BlobFiles, damaged: bytes) -> None:
    digest = digest_of(damaged)
    with pytest.raises(BlobCorrupt):
        files.read(digest)
    with pytest.raises(BlobCorrupt):
        files.view(digest, len(damaged))
    with pytest.raises(BlobCorrupt):
        files.verify(digest, len(damaged))


def test_a_truncated_file_is_refused_before_it_is_mapped(files: BlobFiles) -> None:
    put(files, LARGE)
    path = files.path(digest_of(LARGE))
    path.chmod(0o644)
    os.truncate(path, MAP_FROM_BYTES)
    with pytest.raises(BlobCorrupt, match="instead of"):
        files.view(digest_of(LARGE), len(LARGE))


@pytest.mark.parametrize("data", [MEDIUM, LARGE], ids=["medium", "large"])
def test_a_full_disk_is_said_to_be_full_and_leaves_nothing_behind(files: BlobFiles, data: bytes) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(data) // 2, hard))
    try:
        with Batch(files) as batch, pytest.raises(StoreFull) as caught:  # noqa: PT012 — either may fill the disk
            batch.put(data)
            batch.publish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert caught.value.details["needed_bytes"] == len(data)
    assert scratch_files(files) == []
    put(files, data)
    assert files.read(digest_of(data)) == data


def test_after_a_failed_fsync_the_blob_is_not_there_and_a_new_put_writes_it_again(
    files: BlobFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing_fsync(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    with Batch(files) as batch:
        batch.put(MEDIUM)
        monkeypatch.setattr(os, "fsync", failing_fsync)
        with pytest.raises(StoreBroken):
            batch.publish()
    monkeypatch.undo()
    assert not files.has(digest_of(MEDIUM), len(MEDIUM))
    assert scratch_files(files) == []
    put(files, MEDIUM)
    assert files.read(digest_of(MEDIUM)) == MEDIUM


def test_only_what_dead_processes_left_is_cleaned(files: BlobFiles) -> None:
    scratch = files.root / "tmp"
    here = ProcessStamp.current()
    alive = scratch / f"{here.token}.00"
    dead = scratch / f"{ProcessStamp(here.host, here.boot, 2**22 + 1, 1).token}.00"
    rebooted = scratch / f"{ProcessStamp(here.host, 'another-boot', here.pid, here.start_ticks).token}.00"
    foreign = scratch / "notes.txt"
    for path in (alive, dead, rebooted, foreign):
        path.touch()
    assert files.clean_scratch() == 2
    assert sorted(scratch_files(files)) == sorted([alive.name, foreign.name])


@pytest.mark.parametrize(("offset", "size_bytes"), [(8, len(LARGE)), (0, len(LARGE) + 1), (0, 2**60)])
@pytest.mark.parametrize("others", [0, 1])
def test_an_extent_that_ends_beyond_its_file_is_damage_before_it_is_mapped_or_read(
    files: BlobFiles, offset: int, size_bytes: int, others: int
) -> None:
    """To touch a page beyond the end of a mapped file ends the process; and no memory is asked for what isn't there."""
    put(files, LARGE)
    volume = Volume(VolumeKind.BLOB, digest_of(LARGE), len(LARGE))
    data, _ = assemble(files, Cut((Extent(volume, 0, len(LARGE)),)), 0, len(LARGE))
    assert data == LARGE
    extents = Extent(volume, offset, size_bytes), *[Extent(volume, 0, 8)] * others
    with pytest.raises(BlobCorrupt, match="ends too early"):
        assemble(files, Cut(extents), 0, size_bytes + 8 * others)
