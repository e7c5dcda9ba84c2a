"""What source texts say is kept in the store for the next process; it may be lost, and is never believed blindly."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import pytest
from blake3 import blake3

import lineal
from lineal import Client
from lineal.cas.digest import DIGEST_BYTES, Digest, digest_of
from lineal.cas.process import ProcessStamp
from lineal.pipeline.fingerprint import source_index
from lineal.pipeline.fingerprint.source_index import Known, SourceIndex, seal

PROGRAM = """
import ast, json, sys, time
from pathlib import Path
from lineal.pipeline.fingerprint import CodeWalker, sources
from lineal.pipeline.fingerprint.source_index import SOURCE_INDEX

sources.PROCESS_STARTED_NS = time.time_ns() + 3_600_000_000_000  # As if the files were old.
parse, parsed = ast.parse, []

def counted(*args, **kwargs):
    if sys._getframe(1).f_globals["__name__"].startswith("lineal."):
        parsed.append(args)
    return parse(*args, **kwargs)

ast.parse = counted
sys.path.insert(0, sys.argv[2])
import flow

store = Path(sys.argv[1])
SOURCE_INDEX.use(store)
manifest = CodeWalker().manifest(flow.train)
SOURCE_INDEX.keep(store)
entries = {symbol: entry if isinstance(entry, str) else entry.hex() for symbol, entry in manifest.entries.items()}
print(json.dumps([entries, sorted(manifest.flags), len(parsed)]))
"""


class Walked(NamedTuple):
    """What a fresh process has found."""

    entries: dict[str, str]
    flags: list[str]
    parsed: int
    """How many texts it has parsed."""


class Project:
    """A project's copy, and a store that fresh processes use."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.code = folder / "project"
        original = Path(__file__).parent / "fingerprint_project"
        shutil.copytree(original, self.code, ignore=shutil.ignore_patterns("__pycache__"))
        self.store = store
        self.index = store / "cache" / "sources-{}.{}".format(*sys.version_info)

    def walked(self) -> Walked:
        """Walk the project's step in a fresh process."""
        command = [sys.executable, "-c", PROGRAM, str(self.store), str(self.code)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return Walked(*json.loads(done.stdout))


@pytest.fixture
def project(client: Client, tmp_path: Path) -> Project:
    """A project whose store has no index yet."""
    return Project(tmp_path, client.path)


def test_what_one_process_has_parsed_the_next_does_not_and_finds_the_same(project: Project) -> None:
    first, second = project.walked(), project.walked()
    assert first.parsed > 0
    assert (second.entries, second.flags) == (first.entries, first.flags)
    assert second.parsed == 0


def test_of_a_text_that_was_edited_nothing_is_believed_and_of_the_others_all(project: Project) -> None:
    before = project.walked()
    flow = project.code / "flow.py"
    text = flow.read_text()
    flow.write_text(text.replace("return ", "return  ", 1))  # Means the same; the digest of the text is another.
    cosmetic = project.walked()
    assert (cosmetic.entries, cosmetic.parsed) == (before.entries, 1)
    flow.write_text(text.replace("return ", "return not ", 1))
    meant = project.walked()
    assert [symbol for symbol in before.entries if meant.entries.get(symbol) != before.entries[symbol]] != []
    assert meant.parsed == 1


def _torn(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


def _of_another_version(data: bytes) -> bytes:
    return bytes(DIGEST_BYTES) + data[DIGEST_BYTES:]


def _sealed_elsewhere(data: bytes) -> bytes:
    """As another machine would have written it."""
    body = data[2 * DIGEST_BYTES :]
    return data[:DIGEST_BYTES] + blake3(body, key=digest_of(b"another start")).digest() + body


def _with(change: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    """The entries changed, and everything signed as if we had written it."""

    def changed(data: bytes) -> bytes:
        unpacker = msgpack.Unpacker()
        unpacker.feed(data[2 * DIGEST_BYTES :])
        body = b"".join(msgpack.packb(change(entry)) for entry in unpacker)
        return data[:DIGEST_BYTES] + (seal(body) or b"") + body

    return changed


def _saying(known: Any) -> Callable[[bytes], bytes]:
    """Each entry with this for what is known of its text."""
    return _with(lambda entry: [entry[0], msgpack.packb(known)])


WRONG = {
    "torn": _torn,
    "flipped": _flipped,
    "empty": lambda data: b"",
    "of another version": _of_another_version,
    "no entries": _with(lambda entry: [1, 2, 3]),
    "short digests": _with(lambda entry: [entry[0][:5], entry[1]]),
    "not packed": _with(lambda entry: [entry[0], None]),
    "torn within": _with(lambda entry: [entry[0], entry[1][:-1]]),
    "nothing known": _saying(None),
    "lists for texts": _saying([[[["f"], 1, None]], [], [], [], [], None, None]),
    "texts for numbers": _saying([[["f", "1", None]], [], [], [], [], None, None]),
    "nothing of a binding": _saying([[], [], [], [], [["name", []]], None, None]),
    "another kind of binding": _saying([[], [], [], [], [["name", {}]], None, None]),
    "deep": lambda data: data[:DIGEST_BYTES] + (seal(b"\x91" * 100_000) or b"") + b"\x91" * 100_000,
    "sealed by somebody else": lambda data: (
        data[:DIGEST_BYTES] + digest_of(data[2 * DIGEST_BYTES :]) + data[2 * DIGEST_BYTES :]
    ),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An index as a process has left it."""
    folder = tmp_path_factory.mktemp("written")
    with lineal.open(folder / "store"):
        project = Project(folder, folder / "store")
        project.walked()
        return project.index.read_bytes()


def known(store: Path, data: bytes, written: bytes) -> list[bool]:
    """Whether anything is known of each text of an index, if this is what the file of a store holds."""
    place = store / "cache" / "sources-{}.{}".format(*sys.version_info)
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    index = SourceIndex()
    index.use(store)
    unpacker = msgpack.Unpacker()
    unpacker.feed(written[2 * DIGEST_BYTES :])
    return [index.of(Digest(text)) != Known() for text, _ in unpacker]


def test_an_index_is_known_to_who_uses_it(written: bytes, tmp_path: Path) -> None:
    assert set(known(tmp_path, written, written)) == {True}


@pytest.mark.parametrize("damage", WRONG.values(), ids=list(WRONG))
def test_an_index_that_is_not_as_we_write_it_counts_as_none(
    written: bytes, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    assert set(known(tmp_path, damage(written), written)) == {False}


def test_an_index_that_others_may_write_counts_as_none(project: Project) -> None:
    before = project.walked()
    project.index.chmod(0o666)
    after = project.walked()
    assert (after.entries, after.parsed) == (before.entries, before.parsed)


def test_an_index_that_is_no_file_is_not_waited_for(project: Project) -> None:
    project.index.parent.mkdir()
    os.mkfifo(project.index)
    project.walked()
    assert project.walked().parsed == 0  # A file took its place.


def test_names_that_are_no_text_elsewhere_are_kept_as_others_are(project: Project) -> None:
    with (project.code / "flow.py").open("a") as flow:
        flow.write("\nimport types\nholder = types.SimpleNamespace()\n")
        flow.write("setattr(holder, '\\ud800', 5)\n")
        flow.write("def train():\n    return getattr(holder, '\\ud800')\n")
    first, second = project.walked(), project.walked()
    assert second.entries == first.entries
    assert (first.parsed > 0, second.parsed) == (True, 0)


def test_a_store_that_takes_no_index_does_without(project: Project) -> None:
    (project.store / "cache").write_text("in the way")
    first, second = project.walked(), project.walked()
    assert second == first
    assert first.parsed > 0


def test_it_takes_no_more_room_than_it_may(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    index = SourceIndex()
    index.use(project.store)
    for number in range(1000):
        index.of(digest_of(str(number).encode())).bindings["name" * 10] = None
        index.learned()
    monkeypatch.setattr(source_index, "FILE_MAX_BYTES", 10_000)
    index.keep(project.store)
    assert 5_000 < project.index.stat().st_size <= 10_000 + 2 * DIGEST_BYTES


def test_a_store_with_an_index_is_sound_and_its_collector_leaves_that(project: Project, client: Client) -> None:
    project.walked()
    client.collect()
    assert client.verify().is_sound
    assert os.listdir(project.index.parent) == [project.index.name]


def test_the_seal_of_an_index_is_another_after_each_start_of_the_machine_and_there_is_none_where_that_is_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = ProcessStamp.current()
    seals = []
    for boot in (here.boot, "another start", ""):
        stamp = ProcessStamp(here.host, boot, here.pid, here.start_ticks)
        monkeypatch.setattr(ProcessStamp, "current", lambda stamp=stamp: stamp)
        seals.append(seal(b"entries"))
    assert seals[0] != seals[1]
    assert seals[2] is None
