"""Directories as manifests: what is part of them, what is refused, what a change costs, what reading one touches."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lineal.cas import (
    BlobKind,
    BlobPart,
    Digest,
    FileEntry,
    LinkEntry,
    ManifestPart,
    MemoryBlobs,
    Tree,
    digest_of,
    put_directory,
    put_file,
    read_manifest,
    walk,
)
from lineal.cas.digest import Buffer
from lineal.errors import EntryNotFound, Invalid

MiB = 1024 * 1024


class CountingBlobs(MemoryBlobs):
    """Blobs in memory that tell which were put, which were read, and what they were said to succeed."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes_bytes: dict[Digest, int] = {}
        self.manifests: set[Digest] = set()
        self.reads: list[Digest] = []
        self.successions: list[Digest] = []
        self.meddle: Callable[[], object] = lambda: None
        """Is called at each put."""

    def put(
        self, data: Buffer, kind: BlobKind = BlobKind.BYTES, *, item_bytes: int = 1, after: Digest | None = None
    ) -> Digest:
        self.meddle()
        digest = super().put(data, kind)
        self.sizes_bytes[digest] = memoryview(data).nbytes
        if kind is BlobKind.MANIFEST:
            self.manifests.add(digest)
        if after is not None:
            self.successions.append(after)
        return digest

    def put_file(self, path: Path | int, *, after: Digest | None = None) -> BlobPart:
        if after is not None:
            self.successions.append(after)
        return super().put_file(path)

    def read(self, digest: Digest) -> bytes:
        self.reads.append(digest)
        return super().read(digest)

    def view(self, digest: Digest, size_bytes: int, start: int = 0, stop: int | None = None) -> memoryview:
        self.reads.append(digest)
        return super().view(digest, size_bytes, start, stop)


@pytest.fixture
def blobs() -> CountingBlobs:
    return CountingBlobs()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with one of everything that can be kept."""
    made = tmp_path / "folder"
    (made / "data" / "deep").mkdir(parents=True)
    (made / "empty").mkdir()
    (made / "data" / "a.csv").write_text("1,2\n")
    (made / "data" / "deep" / "large.bin").write_bytes(random.Random(1).randbytes(2 * MiB))
    (made / "data" / "deep" / "medium.bin").write_bytes(bytes(50_000))
    (made / "run.sh").write_text("#!/bin/sh\n")
    (made / "run.sh").chmod(0o755)
    (made / "latest").symlink_to("data/a.csv")
    (made / "data" / "deep" / "up").symlink_to("../../run.sh")
    return made


def contents(tree: Tree) -> dict[str, object]:
    """Everything in a tree: bytes and x-bit, target, or None for a directory, by path."""

    def content(entry: FileEntry | LinkEntry | Tree) -> object:
        if isinstance(entry, FileEntry):
            return entry.content.read_bytes(), entry.is_executable
        return entry.target if isinstance(entry, LinkEntry) else None

    return {path: content(entry) for path, entry in tree.walk()}


def on_disk(folder: Path) -> dict[str, object]:
    """The same of a directory on disk."""

    def content(path: Path) -> object:
        if path.is_symlink():
            return os.fsencode(os.readlink(path))
        return None if path.is_dir() else (path.read_bytes(), bool(path.stat().st_mode & 0o100))

    return {str(path.relative_to(folder)): content(path) for path in folder.rglob("*")}


def test_a_directory_reads_back_as_it_was(folder: Path, blobs: CountingBlobs) -> None:
    manifest = put_directory(blobs, folder)
    assert manifest.digest in blobs.manifests
    assert contents(Tree(read_manifest(blobs, manifest.digest), blobs)) == on_disk(folder)
    assert manifest.format == "lineal.directory/1"
    assert manifest.type == "lineal.Directory"


NAMES = [
    "new\nline",
    "tab\t",
    "-rf",
    "...",
    "a\\b",
    os.fsdecode(b"latin\xe9"),
    os.fsdecode(b"\xff\xfe"),
    os.fsdecode(b"\xed\xb2\x80"),
    "caf\u00e9",
    "cafe\u0301",
    "README",
    "readme",
    "\U0001f600",
    "x" * 255,
    " ",
    "*",
]


def test_any_name_that_a_file_system_holds_is_kept_to_the_byte(tmp_path: Path, blobs: CountingBlobs) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text(name, errors="surrogateescape")
    tree = Tree(put_directory(blobs, folder), blobs)
    assert contents(tree) == on_disk(folder)
    assert [os.fsencode(entry.name) for entry in tree] == sorted(map(os.fsencode, NAMES))


def test_a_deep_directory_is_kept_and_one_too_deep_is_refused(tmp_path: Path, blobs: CountingBlobs) -> None:
    folder = tmp_path / "folder"
    inner = folder.joinpath(*["d"] * 127)
    inner.mkdir(parents=True)
    (inner / "file").write_text("deep")
    tree = Tree(put_directory(blobs, folder), blobs)
    assert contents(tree) == on_disk(folder)
    (inner / "d").mkdir()
    with pytest.raises(Invalid, match="nested more than 128 deep"):
        put_directory(blobs, folder)


def test_times_owners_other_permissions_hard_links_and_the_place_are_no_part_of_it(
    folder: Path, tmp_path: Path, blobs: CountingBlobs
) -> None:
    before = put_directory(blobs, folder).digest
    os.utime(folder / "run.sh", (1, 1))
    (folder / "data" / "a.csv").chmod(0o600)
    (folder / "data").chmod(0o700)
    (folder / "data" / "a.csv").rename(tmp_path / "elsewhere")
    os.link(tmp_path / "elsewhere", folder / "data" / "a.csv")
    moved = folder.rename(tmp_path / "moved")
    (tmp_path / "link").symlink_to(moved)
    assert put_directory(MemoryBlobs(), tmp_path / "link").digest == before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "run.sh").chmod(0o644),
        lambda folder: (folder / "run.sh").write_text("#!/bin/ash\n"),
        lambda folder: (folder / "run.sh").rename(folder / "ran.sh"),
        lambda folder: (folder / "empty").rmdir(),
        lambda folder: (folder / "empty" / "new").touch(),
        lambda folder: [(folder / "empty").rmdir(), (folder / "empty").touch()],
        lambda folder: [(folder / "latest").unlink(), (folder / "latest").symlink_to("data/deep/large.bin")],
        lambda folder: [(folder / "latest").unlink(), (folder / "latest").write_text("data/a.csv")],
    ],
    ids=["x-bit", "bytes", "name", "empty directory", "new file", "kind", "target", "link for a file"],
)
def test_whatever_is_part_of_it_changes_its_content_id(
    folder: Path, blobs: CountingBlobs, change: Callable[[Path], object]
) -> None:
    before = put_directory(blobs, folder).digest
    change(folder)
    assert put_directory(blobs, folder).digest != before


def test_a_directory_in_another_has_the_content_id_that_it_has_alone(folder: Path, blobs: CountingBlobs) -> None:
    (folder / "data" / "deep" / "up").unlink()
    inner = Tree(put_directory(blobs, folder), blobs)["data"]
    assert isinstance(inner, Tree)
    assert inner.manifest.digest == put_directory(MemoryBlobs(), folder / "data").digest


def test_a_file_is_its_bytes_and_its_x_bit(tmp_path: Path, blobs: CountingBlobs) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(bytes(50_000))
    one = put_file(blobs, tmp_path / "one")
    os.utime(tmp_path / "two", (1, 1))
    assert put_file(blobs, tmp_path / "two").digest == one.digest
    (tmp_path / "two").chmod(0o755)
    assert put_file(blobs, tmp_path / "two").digest != one.digest
    assert [part.digest for part in one.named()] == [digest_of(bytes(50_000))]


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_is_no_file_directory_or_link_is_refused_by_name(folder: Path, blobs: CountingBlobs, kind: str) -> None:
    path = folder / "data" / kind
    if kind == "pipe":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
    with pytest.raises(Invalid, match="device, pipe or socket") as caught:
        put_directory(blobs, folder)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "..", "../outside", "data/../../outside", "data/..", "./../folder/run.sh"]
)
def test_a_link_that_may_lead_outside_is_refused_by_name(folder: Path, blobs: CountingBlobs, target: str) -> None:
    (folder / "bad").symlink_to(target)
    with pytest.raises(Invalid, match="symbolic link") as caught:
        put_directory(blobs, folder)
    assert caught.value.where == str(folder / "bad")
    assert caught.value.hint is not None


@pytest.mark.parametrize("target", [".", "data", "./data//deep", "nowhere", "bad"])
def test_a_link_that_stays_inside_is_kept_as_it_is(folder: Path, blobs: CountingBlobs, target: str) -> None:
    (folder / "bad").symlink_to(target)
    tree = Tree(put_directory(blobs, folder), blobs)
    entry = tree.entry("bad")
    assert isinstance(entry, LinkEntry)
    assert os.fsdecode(entry.target) == os.readlink(folder / "bad")


def test_what_cannot_be_read_is_refused_by_name(folder: Path, blobs: CountingBlobs) -> None:
    for path in (folder / "missing", folder / "run.sh"):
        with pytest.raises(Invalid) as caught:
            put_directory(blobs, path)
        assert caught.value.where == str(path)
    with pytest.raises(Invalid):
        put_file(blobs, folder)


def test_a_file_that_vanishes_while_the_directory_is_read_is_named(folder: Path, blobs: CountingBlobs) -> None:
    blobs.meddle = lambda: (folder / "run.sh").unlink(missing_ok=True)
    with pytest.raises(Invalid) as caught:
        put_directory(blobs, folder)
    assert caught.value.where == str(folder / "run.sh")


@pytest.mark.parametrize("name", ["run.sh", "z"])
def test_a_link_put_in_the_place_of_a_file_or_directory_while_it_is_read_is_not_followed(
    folder: Path, blobs: CountingBlobs, name: str
) -> None:
    (folder / "z").mkdir()
    (folder.parent / "outside").mkdir()
    (folder.parent / "outside" / "run.sh").write_text("secret")

    def swap() -> None:
        if not (folder / name).is_symlink():
            (folder / name).rename(folder.parent / "swapped")
            (folder / name).symlink_to(folder.parent / "outside" / name.replace("z", ""))

    blobs.meddle = swap
    with pytest.raises(Invalid) as caught:
        put_directory(blobs, folder)
    assert caught.value.where == str(folder / name)


def many_files(folder: Path, count: int, size_bytes: int) -> None:
    for number in range(count):
        path = folder / f"part-{number % 7}" / f"image-{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.Random(number).randbytes(size_bytes))


@pytest.mark.parametrize(
    ("subfolders", "size_bytes"), [(True, 1000), (False, 100)], ids=["blobs in seven directories", "bytes in one"]
)
def test_fifty_changed_files_of_five_thousand_cost_little_more_than_themselves(
    tmp_path: Path, blobs: CountingBlobs, subfolders: bool, size_bytes: int
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    names = [f"{f'part-{number % 7}/' if subfolders else ''}image-{number:05d}.png" for number in range(5000)]
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(random.Random(number).randbytes(size_bytes))
    put_directory(blobs, folder)
    before = set(blobs.sizes_bytes)
    for number in random.Random(0).sample(range(5000), 50):
        (folder / names[number]).write_bytes(random.Random(~number).randbytes(size_bytes))
    tree = Tree(put_directory(blobs, folder), blobs)
    new = set(blobs.sizes_bytes) - before
    metadata = [blobs.sizes_bytes[digest] for digest in new & blobs.manifests]
    assert sum(metadata) < 100_000
    assert max(metadata) < 2600
    assert sum(1 for _ in tree.walk()) == 5000 + (7 if subfolders else 0)
    assert contents(tree) == on_disk(folder)


@pytest.mark.parametrize("name", ["aaa", "image-02500x", "zzz"])
def test_an_entry_added_or_removed_anywhere_costs_a_few_manifests(
    tmp_path: Path, blobs: CountingBlobs, name: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(5000):
        (folder / f"image-{number:05d}").write_bytes(b"%d" % number)
    first = put_directory(blobs, folder)
    before = set(blobs.sizes_bytes)
    (folder / name).write_text("new")
    put_directory(blobs, folder)
    assert sum(blobs.sizes_bytes[digest] for digest in set(blobs.sizes_bytes) - before) < 20_000
    (folder / name).unlink()
    assert put_directory(blobs, folder).digest == first.digest


def test_no_manifest_of_a_directory_is_large_whatever_rides_in_it(tmp_path: Path, blobs: CountingBlobs) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number:03d}{'y' * 250}").write_bytes(bytes(number % 129))
        (folder / f"d{number:03d}").mkdir()
    tree = Tree(put_directory(blobs, folder), blobs)
    assert max(blobs.sizes_bytes[digest] for digest in blobs.manifests) < 2600
    assert contents(tree) == on_disk(folder)


def test_the_size_of_a_manifest_is_all_that_is_under_it(folder: Path, blobs: CountingBlobs) -> None:
    manifest = put_directory(blobs, folder)
    below = {part.digest: part.size_bytes for part in walk(blobs, manifest) if isinstance(part, BlobPart)}
    manifests = {part.digest for part in walk(blobs, manifest) if isinstance(part, ManifestPart)}
    assert manifest.size_bytes == sum(below.values()) + sum(
        len(blobs.read(digest)) for digest in {*manifests, manifest.digest}
    )


def test_one_file_of_a_directory_is_read_without_the_others(tmp_path: Path, blobs: CountingBlobs) -> None:
    many_files(tmp_path / "folder", 2000, 1000)
    manifest = put_directory(blobs, tmp_path / "folder")
    blobs.reads.clear()
    path = "part-2/image-01003.png"
    entry = Tree(manifest, blobs)[path]
    assert isinstance(entry, FileEntry)
    assert entry.content.read_bytes() == (tmp_path / "folder" / path).read_bytes()
    assert len(blobs.reads) <= 6
    assert sum(blobs.sizes_bytes[digest] for digest in blobs.reads) < 15_000


def test_entries_are_listed_as_they_are_asked_for(tmp_path: Path, blobs: CountingBlobs) -> None:
    many_files(tmp_path / "folder", 2000, 1000)
    manifest = put_directory(blobs, tmp_path / "folder")
    blobs.reads.clear()
    next(Tree(manifest, blobs).walk())
    assert len(blobs.reads) <= 2


def test_a_path_leads_where_it_would_in_the_restored_directory(folder: Path, blobs: CountingBlobs) -> None:
    (folder / "here").symlink_to(".")
    (folder / "data" / "root").symlink_to("..")
    tree = Tree(put_directory(blobs, folder), blobs)
    for path in ["run.sh", "latest", "here/here/latest", "data/deep/up", "data/root/run.sh", "data//deep/./up"]:
        entry = tree[path]
        assert isinstance(entry, FileEntry)
        assert entry.content.read_bytes() == (folder / path).read_bytes()
    for path in [".", "data", "here/data/", "data/root/data/deep"]:
        inner = tree[path]
        assert isinstance(inner, Tree)
        assert {entry.name for entry in inner} == set(os.listdir(folder / path))


@pytest.mark.parametrize(
    "path",
    [
        "missing",
        "",
        "/",
        "/run.sh",
        "run.sh/",
        "run.sh/x",
        "data/..",
        "../folder/run.sh",
        "a\0b",
        "\ud800",
        "loop",
        "no",
    ],
)
def test_a_path_that_leads_nowhere_is_said_to(folder: Path, blobs: CountingBlobs, path: str) -> None:
    (folder / "loop").symlink_to("loop")
    (folder / "no").symlink_to("nowhere")
    with pytest.raises(EntryNotFound):
        Tree(put_directory(blobs, folder), blobs)[path]


def test_large_files_succeed_those_of_the_same_path_and_no_others(folder: Path, blobs: CountingBlobs) -> None:
    before = Tree(put_directory(blobs, folder), blobs)
    path = folder / "data" / "deep" / "large.bin"
    known = digest_of(path.read_bytes())
    with path.open("ab") as file:
        file.write(b"more")
    put_directory(blobs, folder, after=before)
    assert blobs.successions == [known]
    path.rename(folder / "renamed.bin")
    put_directory(blobs, folder, after=before)
    assert blobs.successions == [known]


def test_a_damaged_predecessor_keeps_nothing_from_being_saved(folder: Path, blobs: CountingBlobs) -> None:
    first = put_directory(blobs, folder)
    assert put_directory(MemoryBlobs(), folder, after=Tree(first, MemoryBlobs())).digest == first.digest


def test_the_layout_is_what_it_was_when_it_was_first_written(tmp_path: Path, blobs: CountingBlobs) -> None:
    folder = tmp_path / "folder"
    (folder / "inner" / "empty").mkdir(parents=True)
    for number in range(300):
        (folder / f"{number:03d}").write_bytes(b"%d" % number * (number % 60))
    (folder / "inner" / "run").write_text("#!/bin/sh\n" * 20)
    (folder / "inner" / "run").chmod(0o755)
    (folder / "inner" / "latest").symlink_to("../007")
    assert (
        str(put_directory(blobs, folder).digest) == "f90ce370fb5dcebdf59041512a1d72b8be899bbe50e5c3771e54d0b54fa0fc95"
    )
    assert (
        str(put_file(blobs, folder / "inner" / "run").digest)
        == "e07b2be42784f5a57431aff0757bd86e04a7d7b1ba21b26fcc949421ea9b2131"
    )
