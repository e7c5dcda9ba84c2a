"""The content store on its own: bytes, files and directories, kept by labels, without runs or values."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import lineal
from lineal.cas import ContentStore, Digest, Whole, digest_of
from lineal.errors import BlobMissing, Conflict, Invalid, NotAStore

MIB = 1024 * 1024
NOW = timedelta(0)


@pytest.fixture
def content(tmp_path: Path) -> Iterator[ContentStore]:
    """An open content store, new."""
    with ContentStore(tmp_path / "content") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory to store."""
    made = tmp_path / "folder"
    (made / "inner").mkdir(parents=True)
    (made / "a.txt").write_bytes(b"small")
    (made / "inner" / "b.bin").write_bytes(os.urandom(50_000))
    (made / "inner" / "c.bin").write_bytes(os.urandom(2 * MIB))
    return made


def stored_bytes(content: ContentStore) -> int:
    """What blobs and packs take."""
    folders = [content.path / "packs", *(content.path / "blobs").iterdir()]
    return sum(path.stat().st_size for folder in folders for path in folder.iterdir())


@pytest.mark.parametrize("size_bytes", [0, 10, 50_000, 3 * MIB])
def test_bytes_come_back_by_the_digest_that_b3sum_would_give_them(content: ContentStore, size_bytes: int) -> None:
    data = os.urandom(size_bytes)
    digest = content.put(data)
    assert digest == digest_of(data)
    assert content.read(digest) == data
    assert bytes(content.view(digest)) == data
    assert bytes(content.view(digest, 3, 7)) == data[3:7]


def test_what_was_put_is_there_after_reopening_and_in_other_processes(content: ContentStore) -> None:
    data = os.urandom(50_000)
    digest = content.put(data, label="mine")
    script = "import sys; from lineal.cas import *; s = ContentStore(sys.argv[1]); print(s.kept()['mine'])"
    done = subprocess.run([sys.executable, "-P", "-c", script, content.path], capture_output=True, text=True)
    assert done.stdout.strip() == str(digest), done.stderr
    content.close()
    with ContentStore(content.path) as again:
        assert again.read(digest) == data


def test_equal_bytes_are_stored_once_and_of_a_successor_only_what_is_new(content: ContentStore) -> None:
    data = os.urandom(3 * MIB)
    one = content.put(data)
    content.put(data)
    two = content.put(data + b"more", after=one)
    assert stored_bytes(content) == len(data) + 4
    assert content.read(two) == data + b"more"


def test_a_file_and_a_stream_are_the_blob_that_their_bytes_are(content: ContentStore, folder: Path) -> None:
    data = (folder / "inner" / "c.bin").read_bytes()
    assert content.put_file(folder / "inner" / "c.bin") == digest_of(data)
    assert content.put_stream([data[:MIB], data[MIB:]]) == digest_of(data)


def test_a_directory_comes_back_whole_or_in_parts(content: ContentStore, folder: Path, tmp_path: Path) -> None:
    digest = content.put_directory(folder)
    content.restore(digest, tmp_path / "restored")
    assert subprocess.run(["diff", "-r", folder, tmp_path / "restored"]).returncode == 0
    assert content.tree(digest)["a.txt"].content.read_bytes() == b"small"  # type: ignore[union-attr]


def test_of_a_directory_that_succeeds_another_only_what_is_new_is_stored(content: ContentStore, folder: Path) -> None:
    one = content.put_directory(folder)
    before = stored_bytes(content)
    with (folder / "inner" / "c.bin").open("ab") as file:
        file.write(b"appended")
    two = content.put_directory(folder, after=one)
    assert one != two
    assert stored_bytes(content) - before < 1000


def test_a_collection_keeps_what_labels_are_on_and_all_below_it(content: ContentStore, folder: Path) -> None:
    kept = content.put_directory(folder, label="folder")
    lost = content.put(os.urandom(2 * MIB))
    swept = content.collect(grace=NOW)
    assert (swept.blobs, swept.freed_bytes) == (1, 2 * MIB)
    assert content.verify().blobs == {}
    assert content.tree(kept)["inner/b.bin"].content.read_bytes()  # type: ignore[union-attr]
    with pytest.raises(BlobMissing):
        content.read(lost)


def test_a_successor_outlives_what_it_succeeds(content: ContentStore) -> None:
    data = os.urandom(3 * MIB)
    one = content.put(data)
    two = content.put(data[: 1 * MIB] + b"new" + data[2 * MIB :], after=one, label="two")
    content.collect(grace=NOW)
    assert content.read(two) == data[: 1 * MIB] + b"new" + data[2 * MIB :]
    assert content.verify().blobs == {}
    content.let_go("two")
    content.collect(grace=NOW)
    assert stored_bytes(content) == 0
    assert list(content.entries()) == []


def test_a_label_moves_and_is_let_go(content: ContentStore) -> None:
    one, two = content.put(b"one", label="x"), content.put(b"two")
    assert content.kept() == {"x": one}
    content.keep("x", two)
    assert content.kept() == {"x": two}
    content.let_go("x")
    content.let_go("x")
    assert content.kept() == {}


def test_a_label_goes_on_nothing_that_is_not_stored(content: ContentStore) -> None:
    with pytest.raises(BlobMissing):
        content.keep("x", digest_of(b"nowhere"))
    with pytest.raises(Invalid, match="label"):
        content.put(b"x", label="")


def test_a_batch_is_committed_whole_or_not_at_all(content: ContentStore) -> None:
    digests: list[Digest] = []

    def fail() -> None:
        with content.batch() as batch:
            digests.append(batch.put(b"small"))
            digests.append(batch.put(os.urandom(2 * MIB)))
            raise ValueError("given up")

    with pytest.raises(ValueError, match="given up"):
        fail()
    assert list(content.entries()) == []
    assert stored_bytes(content) == 0
    assert os.listdir(content.path / "tmp") == []


def test_repacking_makes_a_successor_a_file_of_its_own_and_keeps_its_bytes(content: ContentStore) -> None:
    data = os.urandom(3 * MIB)
    one = content.put(data)
    two = content.put(b"new" + data, after=one)
    assert content.repack(two)
    assert not content.repack(two)
    assert {entry.digest: entry.place for entry in content.entries()}[two] == Whole()
    assert content.blobs.files.path(two).read_bytes() == b"new" + data
    assert content.verify().blobs == {}
    assert os.listdir(content.path / "tmp") == []


def test_a_flipped_byte_is_found_by_its_digest(content: ContentStore) -> None:
    digest = content.put(os.urandom(2 * MIB))
    path = content.blobs.files.path(digest)
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(12345)
        byte = file.read(1)
        file.seek(12345)
        file.write(bytes([byte[0] ^ 1]))
    assert content.verify(is_quick=True).blobs == {}
    assert list(content.verify().blobs) == [digest]


def test_a_directory_that_is_something_else_is_left_alone(tmp_path: Path, store_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(NotAStore):
        ContentStore(tmp_path / "other")
    lineal.open(store_path).close()
    with pytest.raises(NotAStore):
        ContentStore(store_path)
    assert os.listdir(tmp_path / "other") == ["notes.txt"]


def test_a_process_opens_a_content_store_once_at_a_time(content: ContentStore) -> None:
    with pytest.raises(Conflict):
        ContentStore(content.path)
    content.close()
    content.close()
    ContentStore(content.path).close()


def test_a_digest_of_no_directory_is_said_to_be_none(content: ContentStore, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no directory"):
        content.tree(content.put(b"bytes"))
