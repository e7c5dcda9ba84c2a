"""Files and directories as values."""

from __future__ import annotations

import copy
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import lineal
from lineal.cas import Manifest, MemoryBlobs, put_directory, put_file
from lineal.errors import EntryNotFound, Invalid, ManifestCorrupt, StoreFull, UnsavableValue
from lineal.materializers import load, runs_code, save
from lineal.materializers.files import Directory, File


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory of a few files."""
    made = tmp_path / "folder"
    (made / "a").mkdir(parents=True)
    (made / "a" / "b.csv").write_text("1,2\n")
    (made / "a" / "large.bin").write_bytes(os.urandom(3_000_000))
    (made / "run").write_text("#!/bin/sh\n")
    (made / "run").chmod(0o755)
    (made / "latest").symlink_to("a/b.csv")
    return made


def loaded(value: Any) -> Any:
    """The value as it comes out of a store."""
    blobs = MemoryBlobs()
    manifest = save(value, blobs).manifest
    assert not runs_code(manifest, blobs)
    return load(Manifest.decode(blobs.read(manifest.digest)), blobs, allow_pickle=False)


def content_id(value: Any) -> Any:
    return save(value, MemoryBlobs()).manifest.digest


@pytest.mark.parametrize("name", ["a/b.csv", "a/large.bin", "run"])
def test_a_file_reads_the_same_before_and_after_it_is_saved(folder: Path, tmp_path: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    for number, file in enumerate([File(folder / name), loaded(File(folder / name))]):
        assert file.read_bytes() == data
        assert file.size_bytes == len(data)
        with file.open() as stream:
            stream.seek(1)
            assert stream.read() == data[1:]
        target = tmp_path / f"restored-{number}"
        file.restore(target)
        assert target.read_bytes() == data
        assert target.stat().st_mode & 0o111 == (folder / name).stat().st_mode & 0o111
        with pytest.raises(Invalid, match="there already"):
            file.restore(target)


def test_a_directory_reads_the_same_before_and_after_it_is_saved(folder: Path, tmp_path: Path) -> None:
    for number, directory in enumerate([Directory(folder), loaded(Directory(folder))]):
        assert list(directory) == ["a/b.csv", "a/large.bin", "run"]
        assert directory["a/b.csv"].read_bytes() == b"1,2\n"
        assert directory["latest"].read_bytes() == b"1,2\n"
        assert list(directory["a"]) == ["b.csv", "large.bin"]
        assert directory[Path("a/b.csv")].size_bytes == 4
        with pytest.raises(EntryNotFound):
            directory["a/missing"]
        target = tmp_path / f"restored-{number}"
        target.mkdir()
        directory.restore(target)
        assert content_id(Directory(target)) == content_id(Directory(folder))
        with pytest.raises(Invalid, match="there already"):
            directory.restore(target)


def test_a_path_out_of_a_directory_finds_nothing(folder: Path) -> None:
    (folder.parent / "secret").write_text("x")
    for directory in (Directory(folder), loaded(Directory(folder))):
        for path in ("../secret", str(folder / "run"), "a/../../secret"):
            with pytest.raises(EntryNotFound):
                directory[path]


def test_the_content_id_of_a_value_is_that_of_the_store_room(folder: Path) -> None:
    assert content_id(Directory(folder)) == put_directory(MemoryBlobs(), folder).digest
    assert content_id(File(folder / "run")) == put_file(MemoryBlobs(), folder / "run").digest


def test_a_loaded_file_or_directory_is_saved_again_as_the_same_content(folder: Path) -> None:
    for value in (File(folder / "run"), File(folder / "a" / "large.bin"), Directory(folder)):
        again = loaded(loaded(value))
        assert content_id(again) == content_id(value)
    directory = loaded(loaded(Directory(folder)))
    assert directory["a/large.bin"].read_bytes() == (folder / "a" / "large.bin").read_bytes()
    assert content_id(directory["a"]) == content_id(Directory(folder / "a"))
    assert content_id(directory["run"]) == content_id(File(folder / "run"))


def test_files_keep_their_content_inside_containers(folder: Path) -> None:
    value = loaded({"model": File(folder / "run"), "all": [Directory(folder), 1]})
    assert value["model"].read_bytes() == b"#!/bin/sh\n"
    assert value["all"][0]["a/b.csv"].read_bytes() == b"1,2\n"


def test_where_a_file_was_is_no_part_of_it_but_of_what_is_said_of_it(folder: Path, tmp_path: Path) -> None:
    saved = save(File(folder / "run"), MemoryBlobs())
    assert saved.metadata["name"] == "run"
    assert save(Directory(folder), MemoryBlobs()).metadata == {"name": "folder"}
    moved = (folder / "run").rename(tmp_path / "moved")
    assert content_id(File(moved)) == saved.manifest.digest


def test_a_relative_path_means_what_it_meant_when_it_was_given(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    file, directory = File("run"), Directory(".")
    monkeypatch.chdir(tmp_path)
    assert loaded(file).read_bytes() == b"#!/bin/sh\n"
    assert list(loaded(directory)) == ["a/b.csv", "a/large.bin", "run"]


def test_a_path_stays_a_path(folder: Path) -> None:
    assert loaded(folder / "run") == folder / "run"


def test_a_file_inside_an_object_that_is_pickled_is_refused_for_a_pickle_would_keep_the_path(folder: Path) -> None:
    class Model:
        def __init__(self) -> None:
            self.weights = File(folder / "run")

    with pytest.raises(UnsavableValue, match=r"lineal\.File can't be saved.*path") as caught:
        save({"model": Model()}, MemoryBlobs())
    assert caught.value.where == "value['model'].weights"
    with pytest.raises(TypeError):
        copy.copy(Directory(folder))


def test_what_is_not_there_is_said_when_it_is_saved(tmp_path: Path) -> None:
    for value in (File(tmp_path / "missing"), Directory(tmp_path / "missing"), File(tmp_path)):
        with pytest.raises(Invalid):
            save(value, MemoryBlobs())


@pytest.mark.parametrize(
    "manifest",
    [
        Manifest("lineal.file/1", "lineal.File", "l", (("content", b"../../etc/passwd"),)),
        Manifest("lineal.file/1", "lineal.File", None, (("content", b""),)),
        Manifest("lineal.file/1", "lineal.File", "f"),
        Manifest("lineal.directory/1", "lineal.Directory", "f"),
        Manifest("lineal.directory/1", "lineal.Directory", "f", (("../x", b""),)),
        Manifest("lineal.directory/1", "lineal.Directory", 7, (("x", b""),)),
    ],
)
def test_a_manifest_of_no_file_or_directory_is_refused(manifest: Manifest) -> None:
    with pytest.raises(ManifestCorrupt):
        load(manifest, MemoryBlobs())


def test_a_step_may_return_a_directory_and_the_next_one_reads_it(client: lineal.Client, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()

    @lineal.step
    def produce() -> Directory:
        (out / "model.bin").write_bytes(bytes(2_000_000))
        (out / "notes.txt").write_text("fine")
        return Directory(out)

    @lineal.step
    def consume(directory: Directory) -> str:
        return directory["notes.txt"].read_bytes().decode()  # type: ignore[union-attr]

    @lineal.pipeline
    def whole() -> Any:
        return consume(produce())

    run = whole()
    (out / "notes.txt").write_text("changed later")
    assert run.steps["consume"].outputs["output"].load() == "fine"
    produced = run.steps["produce"].outputs["output"].load()
    assert produced["model.bin"].size_bytes == 2_000_000
    produced.restore(tmp_path / "restored")
    assert (tmp_path / "restored" / "notes.txt").read_text() == "fine"


def test_a_file_given_to_a_pipeline_counts_by_what_is_in_it(client: lineal.Client, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"

    @lineal.step
    def count(file: File) -> int:
        return len(file.read_bytes())

    @lineal.pipeline
    def whole(file: File) -> Any:
        return count(file)

    path.write_text("12")
    assert not whole(File(path)).steps["count"].is_cached
    os.utime(path, (1, 1))
    assert whole(File(path)).steps["count"].is_cached
    path.write_text("123")
    changed = whole(File(path)).steps["count"]
    assert not changed.is_cached
    assert changed.outputs["output"].load() == 3


def stored_bytes(client: lineal.Client) -> int:
    """What blobs and packs take."""
    store = client.store.path
    return sum(
        path.stat().st_size for name in ("blobs", "packs") for path in (store / name).rglob("*") if path.is_file()
    )


def test_of_a_large_file_in_a_directory_the_next_version_stores_only_what_is_new(
    client: lineal.Client, folder: Path
) -> None:
    client.save(Directory(folder), "data")
    client.save(File(folder / "a" / "large.bin"), "large")
    before = stored_bytes(client)
    with (folder / "a" / "large.bin").open("ab") as file:
        file.write(os.urandom(1000))
    client.save(Directory(folder), "data")
    client.save(File(folder / "a" / "large.bin"), "large")
    assert stored_bytes(client) < before + 100_000
    loaded_again: Any = client.artifact("data").load()
    assert loaded_again["a/large.bin"].read_bytes() == (folder / "a" / "large.bin").read_bytes()
    assert list(loaded_again) == ["a/b.csv", "a/large.bin", "run"]


def test_a_large_file_that_is_there_is_written_no_second_time(client: lineal.Client, folder: Path) -> None:
    path = folder / "a" / "large.bin"
    known = client.save(File(path), "large").manifest.parts[0][1]
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with client.store.blobs.batch() as batch:
            assert batch.put_file(path, after=known.digest) == known  # type: ignore[union-attr]
            with pytest.raises(StoreFull):
                batch.put_file(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def test_a_large_file_is_saved_loaded_and_restored_in_constant_memory(tmp_path: Path) -> None:
    code = """if True:
        import os, resource, sys
        from pathlib import Path
        import lineal
        from lineal.materializers.files import Directory, File
        folder = Path(sys.argv[1]) / "folder"
        folder.mkdir()
        (folder / "large").touch()
        os.truncate(folder / "large", 300_000_000)
        with lineal.open(Path(sys.argv[1]) / "store") as client:
            client.save({"warm": [1]}, "warm")
            client.artifact("warm").load()
            before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            client.save(File(folder / "large"), "file")
            os.truncate(folder / "large", 300_000_001)
            client.save(File(folder / "large"), "file")
            client.save(Directory(folder), "folder")
            client.artifact("file").load().restore(folder.parent / "file")
            client.artifact("folder").load().restore(folder.parent / "again")
        sizes_bytes = {os.stat(folder.parent / name).st_size for name in ("file", "again/large")}
        print(*sizes_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib)
    """
    done = subprocess.run([sys.executable, "-P", "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    size_bytes, grown_kib = map(int, done.stdout.split())
    assert size_bytes == 300_000_001
    assert grown_kib < 64 * 1024
