"""Restoring: what comes back, and that no manifest and no rival makes anything outside of the target."""

from __future__ import annotations

import os
import random
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from depth import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.cas import (
    BlobKind,
    BlobPart,
    FileEntry,
    Manifest,
    ManifestPart,
    MemoryBlobs,
    Tree,
    digest_of,
    put_directory,
    reporting,
    restore,
)
from lineal.errors import (
    BlobCorrupt,
    BlobMissing,
    Conflict,
    Invalid,
    LinealError,
    ManifestCorrupt,
    StoreFull,
    Unsupported,
)

MiB = 1024 * 1024
Parts = tuple[tuple[str, Any], ...]


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """Where targets are made; nothing else may appear in it, and nothing beside it."""
    made = tmp_path / "yard"
    made.mkdir()
    (tmp_path / "secret").write_text("untouched")
    return made


def restore_telling(entry: FileEntry | Tree, target: Path, listener: Callable[[int], object]) -> None:
    """Restore, and tell how many bytes are done."""
    with reporting(lambda progress: listener(progress.done_bytes)):
        restore(entry, target)


def directory(letters: Any, *parts: tuple[str, Any]) -> Manifest:
    return Manifest("lineal.directory/1", "lineal.Directory", letters, parts)


def put(blobs: MemoryBlobs, manifest: Manifest) -> ManifestPart:
    return ManifestPart(blobs.put(manifest.encoded, BlobKind.MANIFEST), manifest.size_bytes)


def decoded(blobs: MemoryBlobs, manifest: Manifest) -> Tree:
    """A tree over what another store would send."""
    return Tree(Manifest.decode(manifest.encoded), blobs)


def listing(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Kind, x-bit and content of everything below."""

    def content(path: Path) -> bytes:
        if path.is_symlink():
            return os.fsencode(os.readlink(path))
        return b"" if path.is_dir() else path.read_bytes()

    return {
        str(path.relative_to(folder)): (path.lstat().st_mode & (0o170000 | stat.S_IXUSR), content(path))
        for path in folder.rglob("*")
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with one of everything, names that are no text among it."""
    made = tmp_path / "folder"
    (made / "data" / "deep").mkdir(parents=True)
    (made / "empty").mkdir()
    for name in ("new\nline", os.fsdecode(b"latin\xe9"), "caf\u00e9", "cafe\u0301", "-rf", "README", "readme"):
        (made / "data" / name).write_text(name, errors="surrogateescape")
    (made / "data" / "deep" / "large.bin").write_bytes(random.Random(1).randbytes(9 * MiB))
    (made / "run.sh").write_text("#!/bin/sh\n")
    (made / "run.sh").chmod(0o755)
    (made / "latest").symlink_to("data/README")
    (made / "data" / "deep" / "up").symlink_to("../../run.sh")
    return made


def test_a_directory_is_restored_as_it_was(folder: Path, yard: Path, blobs: MemoryBlobs) -> None:
    told: list[int] = []
    manifest = put_directory(blobs, folder)
    restore_telling(decoded(blobs, manifest), yard / "again", told.append)
    assert listing(yard / "again") == listing(folder)
    assert put_directory(blobs, yard / "again").digest == manifest.digest
    assert os.listdir(yard) == ["again"]
    assert told == sorted(told)
    assert told[-1] == manifest.size_bytes


def test_a_thousand_files_in_one_directory_are_restored(tmp_path: Path, yard: Path, blobs: MemoryBlobs) -> None:
    for number in range(1000):
        path = tmp_path / "many" / f"{number:05d}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"%d" % number * (number % 40))
    restore(decoded(blobs, put_directory(blobs, tmp_path / "many")), yard / "again")
    assert listing(yard / "again") == listing(tmp_path / "many")


def test_a_file_is_restored_with_its_x_bit_and_nothing_beside_it(folder: Path, yard: Path, blobs: MemoryBlobs) -> None:
    tree = Tree(put_directory(blobs, folder), blobs)
    for name in ("run.sh", "data/deep/large.bin"):
        restore(tree[name], yard / Path(name).name)
        assert (yard / Path(name).name).read_bytes() == (folder / name).read_bytes()
    assert os.access(yard / "run.sh", os.X_OK)
    assert (yard / "large.bin").stat().st_mode & 0o111 == 0
    assert sorted(os.listdir(yard)) == ["large.bin", "run.sh"]


def test_an_empty_directory_may_be_there_and_keeps_its_mode(folder: Path, yard: Path, blobs: MemoryBlobs) -> None:
    (yard / "again").mkdir()
    (yard / "again").chmod(0o750)
    modes = set()

    def look(_: int) -> None:
        modes.update(path.stat().st_mode & 0o777 for path in yard.glob(".restoring-*"))

    restore_telling(Tree(put_directory(blobs, folder), blobs), yard / "again", look)
    assert listing(yard / "again") == listing(folder)
    assert stat.S_IMODE((yard / "again").stat().st_mode) == 0o750
    assert modes == {0o700}


@pytest.mark.parametrize("kind", ["file", "full directory", "link", "dangling link"])
@pytest.mark.parametrize("name", ["run.sh", "."])
def test_what_is_at_the_target_stays(folder: Path, yard: Path, blobs: MemoryBlobs, kind: str, name: str) -> None:
    target = yard / "target"
    if kind == "file":
        target.write_text("mine")
    elif kind == "full directory":
        (target / "mine").mkdir(parents=True)
    else:
        (yard.parent / "other").mkdir()
        target.symlink_to(yard.parent / ("other" if kind == "link" else "nowhere"))
    before = listing(yard)
    told: list[int] = []
    with pytest.raises(Invalid, match="there already") as caught:
        restore_telling(Tree(put_directory(blobs, folder), blobs)[name], target, told.append)
    assert caught.value.where == str(target)
    assert told == []
    assert listing(yard) == before
    assert sorted(os.listdir(yard.parent)) == sorted(
        {"folder", "yard", "secret", *(["other"] if "link" in kind else [])}
    )


@pytest.mark.parametrize("name", ["run.sh", "."])
def test_a_target_taken_at_the_last_moment_stays(folder: Path, yard: Path, blobs: MemoryBlobs, name: str) -> None:
    def take(_: int) -> None:
        (yard / "target").write_text("mine")

    with pytest.raises(Invalid, match="there already"):
        restore_telling(Tree(put_directory(blobs, folder), blobs)[name], yard / "target", take)
    assert listing(yard) == {"target": (stat.S_IFREG, b"mine")}


def test_a_target_without_a_parent_is_refused(folder: Path, yard: Path, blobs: MemoryBlobs) -> None:
    tree = Tree(put_directory(blobs, folder), blobs)
    for entry in (tree, tree["run.sh"]):
        for target in (yard / "missing" / "target", yard.parent / "secret" / "target"):
            with pytest.raises(Invalid, match="no directory to restore into"):
                restore(entry, target)


LEAF = directory("f", ("a", b"x"))

HOSTILE: dict[str, Callable[[MemoryBlobs], Manifest]] = {
    "an empty name": lambda _: directory("f", ("", b"x")),
    "the directory itself": lambda _: directory("f", (".", b"x")),
    "the parent": lambda _: directory("f", ("..", b"x")),
    "a way out": lambda _: directory("f", ("../secret", b"x")),
    "an absolute name": lambda _: directory("f", ("/tmp/lineal-hostile", b"x")),
    "a path": lambda _: directory("f", ("a/b", b"x")),
    "a name with NUL": lambda _: directory("f", ("a\0b", b"x")),
    "a name that is no bytes": lambda _: directory("f", ("\ud800", b"x")),
    "another spelling of the same bytes": lambda _: directory("f", ("\udcc3\udca9", b"x")),
    "an escaped way out": lambda _: directory("f", ("\udc2e\udc2e", b"x")),
    "one name twice": lambda _: directory("ff", ("a", b"x"), ("a", b"y")),
    "a link and a file below it": lambda _: directory("ld", ("a", b"/tmp"), ("a", directory("f", ("b", b"x")))),
    "names out of order": lambda _: directory("ff", ("b", b"x"), ("a", b"y")),
    "an absolute link": lambda _: directory("l", ("a", b"/etc")),
    "a link to the parent": lambda _: directory("l", ("a", b"..")),
    "a link out": lambda _: directory("l", ("a", b"b/../../secret")),
    "a link out of an inner directory": lambda _: directory("d", ("a", directory("l", ("b", b"../../secret")))),
    "a chain of links out": lambda _: directory("ld", ("a", b"b/c/.."), ("b", directory("l", ("c", b"..")))),
    "an empty link": lambda _: directory("l", ("a", b"")),
    "a link with NUL": lambda _: directory("l", ("a", b"b\0c")),
    "a link that is too long": lambda _: directory("l", ("a", b"x" * 5000)),
    "a link whose target is a blob": lambda blobs: directory("l", ("a", BlobPart(blobs.put(b"x"), 1))),
    "a device": lambda _: directory("b", ("a", b"8:0")),
    "an unknown kind": lambda _: directory("?", ("a", b"x")),
    "a directory of bytes": lambda _: directory("d", ("a", b"x")),
    "a file that is a manifest": lambda _: directory("f", ("a", LEAF)),
    "a directory of another format": lambda _: directory("d", ("a", Manifest("python.pickle/1", "x", "", ()))),
    "an inner manifest that is none": lambda blobs: directory("d", ("a", ManifestPart(blobs.put(b"none"), 4))),
    "too few letters": lambda _: directory("f", ("a", b"x"), ("b", b"x")),
    "letters that are no text": lambda _: directory([1], ("a", b"x")),
    "entries among nodes": lambda blobs: directory("nf", ("a", put(blobs, LEAF)), ("b", b"x")),
    "a node of another name": lambda blobs: directory("n", ("b", put(blobs, LEAF))),
    "an empty node": lambda blobs: directory("n", ("a", put(blobs, directory("")))),
    "nodes that overlap": lambda blobs: directory(
        "nn",
        ("a", put(blobs, directory("ff", ("a", b"x"), ("c", b"x")))),
        ("b", put(blobs, directory("f", ("b", b"x")))),
    ),
    "a size that is a lie": lambda blobs: directory("d", ("a", ManifestPart(put(blobs, LEAF).digest, 1))),
    "a file whose size is a lie": lambda blobs: directory("f", ("a", BlobPart(blobs.put(b"xyz"), 2))),
    "a file whose digest is a lie": lambda blobs: directory("f", ("a", BlobPart(digest_of(b"other"), 0))),
    "a file that is not there": lambda _: directory("f", ("a", BlobPart(digest_of(b"gone"), 4))),
    "a name that is too long": lambda _: directory("f", ("a" * 300, b"x")),
    "directories without end": lambda blobs: nested(blobs, 200),
    "nodes without end": lambda blobs: nested(blobs, 30, "n"),
    "more than any disk holds": lambda blobs: bomb(blobs),
}


def nested(blobs: MemoryBlobs, depth: int, letter: str = "d") -> Manifest:
    manifest = LEAF
    for _ in range(depth):
        manifest = directory(letter, ("a", put(blobs, manifest)))
    return manifest


def bomb(blobs: MemoryBlobs) -> Manifest:
    """A few kilobytes that say sixteen directories, eight deep: four billion files of nothing."""
    manifest = directory("f" * 16, *((f"{number:x}", b"") for number in range(16)))
    for _ in range(8):
        manifest = directory("d" * 16, *((f"{number:x}", put(blobs, manifest)) for number in range(16)))
    return manifest


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_manifest_is_refused_and_leaves_nothing(case: str, yard: Path, blobs: MemoryBlobs) -> None:
    manifest = HOSTILE[case](blobs)
    before = listing(yard.parent)
    with pytest.raises((ManifestCorrupt, BlobCorrupt, BlobMissing, StoreFull, Unsupported)):
        restore(decoded(blobs, manifest), yard / "target")
    assert listing(yard.parent) == before
    assert not Path("/tmp/lineal-hostile").exists()


@pytest.mark.parametrize("keys", ["ba", "aa"])
def test_a_directory_out_of_order_is_refused_before_anything_is_looked_up_in_it(keys: str) -> None:
    with pytest.raises(ManifestCorrupt, match="not in order"):
        Tree(directory("ff", *((key, b"x") for key in keys)), MemoryBlobs())


def test_a_link_that_is_inside_a_larger_directory_is_refused_where_it_leads_out(
    folder: Path, yard: Path, blobs: MemoryBlobs
) -> None:
    with pytest.raises(ManifestCorrupt, match="leads out") as caught:
        restore(Tree(put_directory(blobs, folder), blobs)["data"], yard / "target")
    assert caught.value.hint == "If it is a part of a larger directory, restore that one."
    assert os.listdir(yard) == []


# Mostly harmless, so that many get far.
names = st.sampled_from([*"abcdefgh" * 8, "A", "\u00e9", "\udce9", "x" * 256, "", ".", "..", "a/b"])
targets = st.sampled_from([*[b"a", b"../a", b".", b"b/c", b"../b/c", b"../.."] * 4, b"a/..", b"/etc", b"a/../..", b""])
leaves = st.tuples(st.sampled_from("ffxx"), names, st.binary(max_size=5)) | st.tuples(st.just("l"), names, targets)
entries = st.recursive(
    leaves,
    lambda inner: st.tuples(st.sampled_from("ddddddn?"), names, st.lists(inner, max_size=4, unique_by=itemgetter(1))),
    max_leaves=12,
)


def built(blobs: MemoryBlobs, items: list[Any], choose: random.Random) -> Manifest:
    """A manifest of these entries: mostly in order and mostly honest."""
    letters, parts = "", []
    for letter, name, inner in sorted(items, key=lambda item: item[1].encode("utf-8", "surrogatepass")):
        part: Any = inner
        if isinstance(inner, list):
            manifest = built(blobs, inner, choose)
            part = manifest if letter == "d" and choose.random() < 0.5 else put(blobs, manifest)
        elif letter in "fx" and choose.random() < 0.5:
            part = BlobPart(blobs.put(inner), len(inner) + (choose.random() < 0.02))
        letters += letter
        parts.append((name, part))
    return directory(letters, *parts)


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(entries, max_size=6, unique_by=itemgetter(1)), st.randoms(use_true_random=False))
def test_whatever_a_manifest_says_it_is_restored_whole_below_the_target_or_not_at_all(
    yard: Path, items: list[Any], choose: random.Random
) -> None:
    blobs = MemoryBlobs()
    target = yard / "target"
    shutil.rmtree(target, ignore_errors=True)
    manifest = Manifest.decode(built(blobs, items, choose).encoded)
    try:
        restore(Tree(manifest, blobs), target)
    except LinealError:
        assert os.listdir(yard) == []
    else:
        assert os.listdir(yard) == ["target"]
        for path in target.rglob("*"):
            assert Path(os.path.realpath(path)).is_relative_to(target)
    assert sorted(os.listdir(yard.parent)) == ["secret", "yard"]
    assert (yard.parent / "secret").read_text() == "untouched"


def building(yard: Path) -> Path:
    """The directory that a restoration is building."""
    (found,) = yard.iterdir()
    return found


def test_a_link_planted_during_restoring_is_not_followed(yard: Path, blobs: MemoryBlobs) -> None:
    manifest = directory("ffd", ("a", b"x"), ("b", b"hostile"), ("c", directory("f", ("d", b"x"))))

    def plant_file(_: int) -> None:
        with suppress(FileExistsError):
            found = building(yard)
            (found / "b").symlink_to(yard.parent / "secret")

    def plant_directory(_: int) -> None:
        with suppress(FileExistsError):
            found = building(yard)
            (found / "c").symlink_to(yard.parent)

    for plant in (plant_file, plant_directory):
        with pytest.raises(Conflict, match="somebody else"):
            restore_telling(decoded(blobs, manifest), yard / "target", plant)
        assert os.listdir(yard) == []
    assert (yard.parent / "secret").read_text() == "untouched"
    assert not (yard.parent / "d").exists()


def test_a_link_put_in_the_place_of_a_directory_just_made_is_not_entered(
    yard: Path, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = directory("d", ("c", directory("f", ("d", b"x"))))
    mkdir = os.mkdir

    def replacing(path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        mkdir(path, mode, dir_fd=dir_fd)
        if path == b"c":
            os.rmdir(path, dir_fd=dir_fd)
            os.symlink(yard.parent, path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", replacing)
    with pytest.raises(Conflict):
        restore(decoded(blobs, manifest), yard / "target")
    assert os.listdir(yard) == []
    assert not (yard.parent / "d").exists()


def test_a_directory_moved_away_during_restoring_takes_the_rest_with_it(yard: Path, blobs: MemoryBlobs) -> None:
    manifest = directory("d", ("a", directory("ff", ("b", b"x"), ("c", b"y"))))

    def move(_: int) -> None:
        found = building(yard)
        if not (found / "moved").exists():
            (found / "a").rename(found / "moved")
            (found / "a").symlink_to(yard.parent)

    restore_telling(decoded(blobs, manifest), yard / "target", move)
    assert sorted(os.listdir(yard.parent)) == ["secret", "yard"]
    assert (yard / "target" / "moved" / "c").read_text() == "y"


def test_two_names_that_are_one_to_the_file_system_are_both_named(yard: Path, blobs: MemoryBlobs) -> None:
    manifest = directory("fff", ("README", b"x"), ("a", b"x"), ("readme", b"y"))

    def fold(_: int) -> None:
        # What a file system that folds case would show.
        with suppress(FileExistsError):
            found = building(yard)
            os.link(found / "README", found / "readme")

    with pytest.raises(Conflict, match="'README' and 'readme' are one name"):
        restore_telling(decoded(blobs, manifest), yard / "target", fold)
    assert os.listdir(yard) == []


class FlippingBlobs(MemoryBlobs):
    """Blobs whose views are not what was put, as large mapped ones may be."""

    def view(self, *arguments: Any) -> memoryview:
        view = super().view(*arguments)
        view[7] ^= 1
        return view


@pytest.mark.parametrize("size_bytes", [50_000, 9 * MiB])
def test_damaged_bytes_are_found_and_nothing_is_left(yard: Path, size_bytes: int) -> None:
    blobs = FlippingBlobs()
    part = BlobPart(blobs.put(bytes(size_bytes)), size_bytes)
    tree = decoded(blobs, directory("ff", ("a", b"x"), ("b", part)))
    for entry in (tree, tree["b"]):
        with pytest.raises(BlobCorrupt):
            restore(entry, yard / "target")
        assert os.listdir(yard) == []


def test_a_full_disk_is_said_to_be_full_and_leaves_nothing(yard: Path, blobs: MemoryBlobs) -> None:
    part = BlobPart(blobs.put(bytes(5 * MiB)), 5 * MiB)
    tree = decoded(blobs, directory("ff", ("a", b"x"), ("b", part)))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MiB, hard))
    try:
        for entry in (tree, tree["b"]):
            with pytest.raises(StoreFull) as caught:
                restore(entry, yard / "target")
            assert caught.value.details["needed_bytes"] == 5 * MiB
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert os.listdir(yard) == []


def test_an_interrupted_restoration_leaves_nothing_at_the_target(folder: Path, yard: Path, blobs: MemoryBlobs) -> None:
    def interrupt(done_bytes: int) -> None:
        assert not (yard / "target").exists()
        if done_bytes > 5 * MiB:
            raise KeyboardInterrupt

    tree = Tree(put_directory(blobs, folder), blobs)
    for entry in (tree, tree["data/deep/large.bin"]):
        with pytest.raises(KeyboardInterrupt):
            restore_telling(entry, yard / "target", interrupt)
        assert os.listdir(yard) == []


def test_no_descriptor_stays_open(folder: Path, yard: Path, blobs: MemoryBlobs) -> None:
    before = len(os.listdir("/proc/self/fd"))
    tree = Tree(put_directory(blobs, folder), blobs)
    restore(tree, yard / "target")
    restore(tree["run.sh"], yard / "file")
    for build in HOSTILE.values():
        with suppress(LinealError):
            restore(decoded(blobs, build(blobs)), yard / "hostile")
    (folder / "bad").symlink_to("/")
    with suppress(LinealError):
        put_directory(blobs, folder)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_large_file_is_restored_in_constant_memory(tmp_path: Path) -> None:
    code = """if True:
        import os, resource, sys
        from pathlib import Path
        from lineal.cas import BlobFiles, BlobPart, Manifest, Tree, restore
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
        manifest = Manifest("lineal.directory/1", "lineal.Directory", "f", (("a", BlobPart(digest, size_bytes)),))
        restore(Tree(manifest, files), root / "target")
        size_bytes = (root / "target" / "a").stat().st_size
        print(size_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib)
    """
    done = subprocess.run([sys.executable, "-P", "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    size_bytes, grown_kib = map(int, done.stdout.split())
    assert size_bytes == 500 * MiB
    assert grown_kib < 32 * 1024
