"""Contents: the streams and pieces that a stored file is read in."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import deque
from pathlib import Path

import pytest

from lineal.cas import BlobPart, Digest, FileEntry, Manifest, MemoryBlobs, Tree
from lineal.errors import BlobCorrupt, ManifestCorrupt

MiB = 1024 * 1024


def stored_file(blobs: MemoryBlobs, data: bytes) -> FileEntry:
    """A stored file of these bytes."""
    part = BlobPart(blobs.put(data), len(data))
    manifest = Manifest("lineal.directory/1", "lineal.Directory", "f", (("a", part),))
    entry = Tree(manifest, blobs)["a"]
    assert isinstance(entry, FileEntry)
    return entry


@pytest.mark.parametrize("size_bytes", [0, 10, MiB, 9 * MiB + 3])
def test_a_stream_seeks_and_reads_like_a_file(tmp_path: Path, size_bytes: int) -> None:
    data = random.Random(2).randbytes(size_bytes)
    (tmp_path / "same").write_bytes(data)
    choose = random.Random(3)
    with stored_file(MemoryBlobs(), data).content.open() as stored, open(tmp_path / "same", "rb") as file:
        for _ in range(60):
            at, count = choose.randrange(size_bytes + 5), choose.choice([0, 1, 1000, MiB, 5 * MiB, -1])
            assert stored.seek(at) == file.seek(at)
            assert stored.read(count) == file.read(count)
            assert stored.tell() == file.tell()
        assert stored.seek(0, os.SEEK_END) == size_bytes
        stored.seek(0)
        assert stored.read() == data
        assert not stored.writable()


class FlippingBlobs(MemoryBlobs):
    """Blobs whose views are not what was put, as large mapped ones may be."""

    def view(self, digest: Digest, size_bytes: int, start: int = 0, stop: int | None = None) -> memoryview:
        view = super().view(digest, size_bytes, start, stop)
        if start == 0:
            view[7] ^= 1
        return view


def test_a_damaged_large_file_is_found_at_the_end_of_its_stream_and_of_its_pieces() -> None:
    entry = stored_file(FlippingBlobs(), bytes(9 * MiB))
    with entry.content.open() as stored, pytest.raises(BlobCorrupt):
        deque(iter(lambda: stored.read(100_000), b""), maxlen=0)
    with pytest.raises(BlobCorrupt):
        deque(entry.content.pieces(), maxlen=0)


def test_a_large_file_is_streamed_in_constant_memory(tmp_path: Path) -> None:
    code = """if True:
        import os, resource, sys
        from pathlib import Path
        from lineal.cas import Batch, BlobFiles, BlobPart, FileEntry, Manifest, Tree, put_directory
        from lineal.cas.ingest import ingest_file
        root = Path(sys.argv[1])
        files = BlobFiles(root)
        files.create()
        source = root / "source"
        source.touch()
        os.truncate(source, 500 * 1024 * 1024)
        scratch, digest, size_bytes = ingest_file(files, source)
        scratch.volume = files.whole(digest, size_bytes).volume
        files.publish([scratch], [])
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        part = ("a", BlobPart(digest, size_bytes))
        tree = Tree(Manifest("lineal.directory/1", "lineal.Directory", "f", (part,)), files)
        read_bytes = 0
        with tree["a"].content.open() as stream:
            while piece := stream.read(1 << 20):
                read_bytes += len(piece)
        print(read_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib)
    """
    done = subprocess.run([sys.executable, "-P", "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    read_bytes, grown_kib = map(int, done.stdout.split())
    assert read_bytes == 500 * MiB
    assert grown_kib < 32 * 1024


def test_a_small_file_whose_size_is_a_lie_is_refused_however_it_is_read() -> None:
    blobs = MemoryBlobs()
    part = BlobPart(blobs.put(b"xyz"), 2)
    entry = Tree(Manifest("lineal.directory/1", "lineal.Directory", "f", (("a", part),)), blobs)["a"]
    assert isinstance(entry, FileEntry)
    for read in (entry.content.read_bytes, entry.content.open):
        with pytest.raises(ManifestCorrupt):
            read()
