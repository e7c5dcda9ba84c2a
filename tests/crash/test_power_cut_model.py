"""The disk that power cuts are tried on keeps what was synced, and nothing else for certain."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
from powercut.disk import EVERYTHING, NOTHING, Data, Fate, File, scanned
from powercut.replay import Replay, UnknownCall
from powercut.states import Chosen, States, Tree
from powercut.trace import calls, record


def trees(tmp_path: Path, script: str) -> list[Tree]:
    """What a power cut may leave of a directory in which a script works as ``root``."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "old").write_bytes(b"old")
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "old").write_bytes(b"old")
    program = f"import os\nroot = {str(root)!r}\n{textwrap.dedent(script)}"
    record([sys.executable, "-c", program], tmp_path / "trace")
    traced = list(calls(tmp_path / "trace"))
    replay = Replay(root, scanned(tmp_path / "before"), tmp_path / "acknowledged")
    found = [state.tree for state in States(50, 0).of(replay, traced)]
    everything = {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")
    }
    assert everything in found
    return found


def names(found: list[Tree]) -> set[frozenset[str]]:
    return {frozenset(tree) - {"old"} for tree in found}


@pytest.mark.usefixtures("_traceable")
def test_a_name_is_certain_only_once_its_directory_is_synced(tmp_path: Path) -> None:
    script = """
        fd = os.open(root + "/new", os.O_WRONLY | os.O_CREAT)
        os.write(fd, b"bytes")
        os.fsync(fd)
        os.mkdir(root + "/folder")
        os.fsync(os.open(root, os.O_RDONLY))
        os.rename(root + "/new", root + "/folder/other")
    """
    assert names(trees(tmp_path, script)) == {
        frozenset(),
        frozenset({"new"}),
        frozenset({"folder"}),
        frozenset({"new", "folder"}),
        frozenset({"new", "folder", "folder/other"}),
        frozenset({"folder", "folder/other"}),
    }


@pytest.mark.usefixtures("_traceable")
def test_bytes_are_certain_only_once_their_file_is_synced(tmp_path: Path) -> None:
    script = """
        fd = os.open(root + "/old", os.O_RDWR)
        os.pwrite(fd, b"new", 0)
        os.fsync(fd)
        os.pwrite(fd, b"!", 3)
    """
    found = [tree["old"] for tree in trees(tmp_path, script)]
    assert set(found) >= {b"old", b"new", b"new!"}
    assert found.index(b"old") < found.index(b"new!")
    assert b"old" not in found[found.index(b"new!") :]


@pytest.mark.usefixtures("_traceable")
def test_a_write_through_a_synchronous_descriptor_is_certain(tmp_path: Path) -> None:
    script = """
        fd = os.dup(os.open(root + "/old", os.O_RDWR | os.O_DSYNC))
        os.write(fd, b"new")
        os.open(root + "/later", os.O_CREAT)
    """
    assert {tree["old"] for tree in trees(tmp_path, script) if "later" in tree} == {b"new"}


@pytest.mark.usefixtures("_traceable")
def test_what_a_forked_child_writes_counts_too(tmp_path: Path) -> None:
    script = """
        fd = os.open(root + "/new", os.O_WRONLY | os.O_CREAT)
        if os.fork() == 0:
            os.write(fd, b"child")
            os._exit(0)
        os.wait()
    """
    assert b"child" in [tree.get("new") for tree in trees(tmp_path, script)]


@pytest.mark.usefixtures("_traceable")
def test_a_call_that_the_model_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownCall, match="symlink"):
        trees(tmp_path, "os.symlink('a', root + '/b')")


def test_a_torn_write_keeps_whole_sectors_of_each_piece() -> None:
    file = File(b"\0" * 32768)
    file.add(Data(0, 0, offset=0, data=b"\1" * 32768))
    contents = {file.content(Chosen({0: Fate.TORN}, Fate.KEPT, str(seed))) for seed in range(100)}
    assert len(contents) > 50
    assert {content[at : at + 512] for content in contents for at in range(0, 32768, 512)} == {b"\0" * 512, b"\1" * 512}
    assert (file.content(NOTHING), file.content(EVERYTHING)) == (b"\0" * 32768, b"\1" * 32768)


def test_a_sync_says_nothing_of_what_is_written_while_it_runs() -> None:
    file = File(b"")
    file.add(Data(0, ended=5, offset=0, data=b"before"))
    file.add(Data(1, ended=7, offset=0, data=b"during"))
    file.sync(began=6)
    assert file.content(NOTHING) == b"before"
    assert file.content(EVERYTHING) == b"during"
