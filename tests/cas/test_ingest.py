"""Ingestion: what is stored is what was hashed, whatever the source and the disk do meanwhile."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.cas import BlobFiles, Digest, digest_of, ingest, reporting
from lineal.cas.files import Scratch
from lineal.cas.ingest import digest_of_file, ingest_file, ingest_stream
from lineal.cas.progress import Stage
from lineal.errors import Invalid, StoreFull

MiB = 1024 * 1024
SIZES_BYTES = [0, 1, MiB - 1, MiB, MiB + 1, 3 * MiB + 7]


@pytest.fixture
def files(tmp_path: Path) -> BlobFiles:
    """An empty directory of blobs."""
    root = tmp_path / "store"
    root.mkdir()
    made = BlobFiles(root)
    made.create()
    return made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of a few pieces."""
    path = tmp_path / "source"
    path.write_bytes(os.urandom(3 * MiB + 7))
    return path


def publish(files: BlobFiles, scratch: Scratch, digest: Digest) -> None:
    scratch.volume = files.whole(digest, os.fstat(scratch.fd).st_size).volume
    files.publish([scratch], [])


def scratch_files(files: BlobFiles) -> list[str]:
    return os.listdir(files.root / "tmp")


@pytest.mark.parametrize("size_bytes", SIZES_BYTES)
def test_a_file_becomes_a_blob_of_its_bytes(files: BlobFiles, tmp_path: Path, size_bytes: int) -> None:
    data = os.urandom(size_bytes)
    path = tmp_path / "source"
    path.write_bytes(data)
    scratch, digest, found_bytes = ingest_file(files, path)
    assert (digest, found_bytes) == (digest_of(data), size_bytes) == digest_of_file(path)
    publish(files, scratch, digest)
    assert files.read(digest) == data
    assert files.path(digest).stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("piece_bytes", [1000, 65_536, 2 * MiB])
def test_a_stream_becomes_a_blob_of_its_bytes_however_it_is_cut(files: BlobFiles, piece_bytes: int) -> None:
    data = os.urandom(3 * MiB + 7)
    pieces = (data[start : start + piece_bytes] for start in range(0, len(data), piece_bytes))
    scratch, digest, size_bytes = ingest_stream(files, pieces)
    publish(files, scratch, digest)
    assert (digest, size_bytes) == (digest_of(data), len(data))
    assert files.read(digest) == data


def test_large_and_small_chunks_keep_their_order_and_their_buffer_may_be_used_again(files: BlobFiles) -> None:
    def chunks() -> Iterator[bytearray | memoryview]:
        buffer = bytearray(3)
        for number in range(5):
            buffer[:] = b"%03d" % number
            yield buffer
            yield memoryview(bytes([number]) * 100_000)
            yield memoryview(b"")

    expected = b"".join(bytes(chunk) for chunk in chunks())
    scratch, digest, _ = ingest_stream(files, chunks())
    assert digest == digest_of(expected)
    publish(files, scratch, digest)
    assert files.read(digest) == expected


def test_an_open_descriptor_is_read_from_its_start_and_stays_where_it_stands(files: BlobFiles, source: Path) -> None:
    with open(source, "rb", buffering=0) as file:
        file.seek(1000)
        scratch, digest, _ = ingest_file(files, file.fileno())
        scratch.discard()
        assert file.tell() == 1000
    assert digest == digest_of(source.read_bytes())


def test_a_symbolic_link_is_followed_only_where_told(files: BlobFiles, source: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(source)
    with pytest.raises(Invalid) as caught:
        ingest_file(files, link)
    assert caught.value.where == str(link)
    scratch, digest, _ = ingest_file(files, link, follow_symlinks=True)
    scratch.discard()
    assert digest == digest_of(source.read_bytes())


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe", "socket", "device"])
def test_what_is_no_regular_file_is_refused_at_once_and_by_name(files: BlobFiles, tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
    elif kind == "device":
        path = Path("/dev/zero")
    with pytest.raises(Invalid) as caught:
        ingest_file(files, path)
    assert caught.value.where == str(path)
    assert scratch_files(files) == []


@pytest.mark.parametrize("change", ["grows", "shrinks", "is overwritten"])
def test_of_a_file_that_changes_while_it_is_read_the_digest_is_that_of_the_bytes_stored(
    files: BlobFiles, source: Path, change: str
) -> None:
    before = source.read_bytes()

    def meddle(done_bytes: int) -> None:
        if done_bytes == MiB:
            if change == "grows":
                with source.open("ab") as file:
                    file.write(b"more")
            elif change == "shrinks":
                os.truncate(source, 2 * MiB + 5)
            else:
                source.write_bytes(bytes(len(before)))

    with reporting(lambda progress: meddle(progress.done_bytes)):
        scratch, digest, size_bytes = ingest_file(files, source, Stage("saving"))
    publish(files, scratch, digest)
    stored = files.read(digest)
    assert len(stored) == size_bytes
    assert stored[:MiB] == before[:MiB]
    assert stored != before


def test_a_source_that_vanishes_is_still_read_to_its_end(files: BlobFiles, source: Path) -> None:
    before = source.read_bytes()
    with reporting(lambda _: source.unlink(missing_ok=True)):
        scratch, digest, _ = ingest_file(files, source, Stage("saving"))
    scratch.discard()
    assert digest == digest_of(before)


def test_progress_tells_of_the_beginning_and_of_the_end_where_it_is_known(files: BlobFiles, source: Path) -> None:
    told: list[int] = []
    with reporting(lambda progress: told.append(progress.done_bytes)):
        ingest_file(files, source, Stage("saving", 3 * MiB + 7))[0].discard()
        assert told == [MiB, 3 * MiB + 7]
        told.clear()
        ingest_stream(files, [bytes(100_000)] * 100, Stage("saving"))[0].discard()
    assert len(told) == 3
    assert told == sorted(told)


def test_short_writes_and_reads_are_carried_on(files: BlobFiles, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, preadv = os.write, os.preadv
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[: max(1, len(data) // 3)]))
    monkeypatch.setattr(os, "preadv", lambda fd, buffers, at: preadv(fd, [buffers[0][:300_001]], at))
    scratch, digest, _ = ingest_file(files, source)
    monkeypatch.undo()
    publish(files, scratch, digest)
    assert files.read(digest) == source.read_bytes()


@pytest.mark.parametrize("from_file", [True, False], ids=["file", "stream"])
def test_a_full_disk_says_how_much_is_needed_and_leaves_nothing(
    files: BlobFiles, source: Path, from_file: bool
) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MiB, hard))
    try:
        with pytest.raises(StoreFull) as caught:
            ingest_file(files, source) if from_file else ingest_stream(files, [bytes(MiB)] * 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert caught.value.details["needed_bytes"] == (source.stat().st_size if from_file else 3 * MiB)
    assert scratch_files(files) == []


def test_a_source_that_cannot_be_read_on_is_named_and_leaves_nothing(
    files: BlobFiles, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "preadv", failing)
    with pytest.raises(Invalid, match="Input/output error") as caught:
        ingest_file(files, source)
    assert caught.value.where == str(source)
    assert scratch_files(files) == []


def test_what_a_stream_raises_passes_and_leaves_nothing(files: BlobFiles) -> None:
    def chunks() -> Iterator[bytes]:
        yield bytes(MiB)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        ingest_stream(files, chunks())
    with pytest.raises(Invalid, match="chunk of str"):
        ingest_stream(files, ["text"])  # type: ignore[list-item]
    assert scratch_files(files) == []


def test_a_clone_is_hashed_itself_and_not_its_source(
    files: BlobFiles, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = os.urandom(2 * MiB)

    def cloning(to_fd: int, _request: int, _fd: int) -> int:
        return os.pwrite(to_fd, stored, 0)

    monkeypatch.setattr(ingest, "_uncloneable", set())
    monkeypatch.setattr(fcntl, "ioctl", cloning)
    scratch, digest, size_bytes = ingest_file(files, source)
    publish(files, scratch, digest)
    assert (digest, size_bytes) == (digest_of(stored), len(stored))
    assert files.read(digest) == stored


def test_cloning_is_tried_once_where_it_is_impossible(
    files: BlobFiles, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def refusing(to_fd: int, _request: int, _fd: int) -> int:
        tried.append(to_fd)
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(ingest, "_uncloneable", set())
    monkeypatch.setattr(fcntl, "ioctl", refusing)
    for _ in range(2):
        scratch, digest, _ = ingest_file(files, source)
        scratch.discard()
        assert digest == digest_of(source.read_bytes())
    assert len(tried) == 1


def test_a_large_file_and_a_long_stream_are_taken_in_constant_memory(tmp_path: Path) -> None:
    code = """if True:
        import os, resource, sys
        from pathlib import Path
        from lineal.cas import BlobFiles
        from lineal.cas.ingest import ingest_file, ingest_stream
        root = Path(sys.argv[1])
        files = BlobFiles(root)
        files.create()
        source = root / "source"
        source.touch()
        os.truncate(source, 500 * 1024 * 1024)
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        _, _, size_bytes = ingest_file(files, source)
        ingest_stream(files, (bytes(100_000) for _ in range(5243)))
        print(size_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib)
    """
    done = subprocess.run([sys.executable, "-P", "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    size_bytes, grown_kib = map(int, done.stdout.split())
    assert size_bytes == 500 * MiB
    assert grown_kib < 16 * 1024
