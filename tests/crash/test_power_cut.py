"""Power cuts: every prefix of what reaches the disk is opened again, and no fact may stand without its bytes.

The model is pessimistic about the file system, in two ways. A file's bytes are on disk only after its fsync; before
it, its name leads to nothing. A name is on disk only after an fsync of its directory; before it, the name may be
there or not, and both are tried. A commit of LMDB is one step.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.cas import BlobKind, BlobPart, Environment, Manifest
from lineal.cas.files import BlobFiles
from lineal.errors import LinealError
from lineal.events import committer
from lineal.events.catalogue import ArtifactSaved, Output
from lineal.events.committer import Ticket
from lineal.store import Store, open_store

Operation = tuple[str, Path, Path | bytes | None]


class Recorder:
    """Writes down, in order, what makes files, names and commits durable."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.operations: list[Operation] = []
        self._root = root
        real_fsync, real_replace, real_begin = os.fsync, os.replace, Environment.begin

        def fsync(fd: int) -> None:
            real_fsync(fd)
            path = Path(os.readlink(f"/proc/self/fd/{fd}"))
            self.operations.append(
                ("sync directory", path, None) if path.is_dir() else ("sync", path, path.read_bytes())
            )

        def replace(source: Path, target: Path) -> None:
            real_replace(source, target)
            self.operations.append(("rename", Path(source), Path(target)))

        def begin(environment: Environment, *, write: bool = False, needed_bytes: int = 0) -> Any:
            txn = real_begin(environment, write=write, needed_bytes=needed_bytes)
            return _Committing(txn, self) if write else txn

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "replace", replace)
        monkeypatch.setattr(Environment, "begin", begin)

    def committed(self) -> None:
        """Keep the database as the commit left it."""
        data = self._root / "log" / "data.mdb"
        self.operations.append(("commit", data, data.read_bytes()))


class _Committing:
    """A write transaction that tells the recorder when it is committed."""

    def __init__(self, txn: Any, recorder: Recorder) -> None:
        self._txn = txn
        self._recorder = recorder

    def __enter__(self) -> Any:
        return self._txn.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> Any:
        handled = self._txn.__exit__(kind, error, trace)
        if kind is None:
            self._recorder.committed()
        return handled


def disks(operations: list[Operation], blank: Path, folder: Path) -> Iterator[tuple[Path, set[str]]]:
    """The store as each prefix of the operations may leave it, with what had been acknowledged by then."""
    for length in range(len(operations) + 1):
        acknowledged = {path.name for kind, path, _ in operations[:length] if kind == "acknowledge"}
        for keeps_unsynced_names in (False, True):
            place = folder / f"{length}-{keeps_unsynced_names}"
            shutil.copytree(blank, place)
            rebuild(operations[:length], folder / "store", place, keeps_unsynced_names)
            yield place, acknowledged
            shutil.rmtree(place)


def rebuild(operations: list[Operation], original: Path, place: Path, keeps_unsynced_names: bool) -> None:
    """Bring a copy of the first state to what these operations made durable."""
    contents: dict[Path, bytes] = {}
    renamed: dict[Path, bytes] = {}
    durable: dict[Path, bytes] = {}
    for kind, path, detail in operations:
        if kind == "sync" and isinstance(detail, bytes):
            contents[path] = detail
            if path in renamed:
                renamed[path] = detail
        elif kind == "rename" and isinstance(detail, Path):
            renamed[detail] = contents.get(path, b"")
        elif kind == "sync directory":
            durable |= {name: data for name, data in renamed.items() if name.parent == path}
        elif kind == "commit" and isinstance(detail, bytes):
            durable[path] = detail
    for name, data in ((renamed | durable) if keeps_unsynced_names else durable).items():
        target = place / name.relative_to(original)
        target.unlink(missing_ok=True)
        target.write_bytes(data)


def broken_promises(place: Path, acknowledged: set[str]) -> list[str]:
    """What a store that was cut off gets wrong: facts that were acknowledged and are lost, facts without bytes."""
    store = open_store(place)
    try:
        store.log.verify()
        known = {output.artifact for recorded in store.log.scan() for output in recorded.event.made}
        promises = [f"{name} was acknowledged" for name in acknowledged - known]
        for recorded in store.log.scan():
            for ref in recorded.refs:
                try:
                    for part in Manifest.decode(store.blobs.read(ref)).named():
                        store.blobs.verify(part.digest)
                except LinealError as error:
                    promises.append(f"event {recorded.seq}: {error.what}")
        return promises
    finally:
        store.close()


def save(store: Store, name: str, data: bytes) -> None:
    """Save an artifact of two file blobs, one of which other artifacts have too, and wait until it is durable."""
    parts = tuple((f"p{number}", part) for number, part in enumerate((data, b"shared" * 5000)))
    with store.blobs.batch() as batch:
        stored = tuple((slot, BlobPart(batch.put(part), len(part))) for slot, part in parts)
        manifest = Manifest("x/1", "t", None, stored)
        batch.put(manifest.encoded, BlobKind.MANIFEST)
        blobs = batch.publish()
    store.append([ArtifactSaved(Output(name, name, manifest.digest, "x/1", "t", 1, {}))], blobs).wait()


def cut_everywhere(store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, list[str]]:
    """Record a workload, cut it off at each point, and give the number of states and all broken promises."""
    store = open_store(store_path)
    save(store, "before", b"b" * 20_000)
    store.close()
    blank = tmp_path / "blank"
    shutil.copytree(store_path, blank)
    with monkeypatch.context() as patched:
        recorder = Recorder(patched, store_path)
        store = open_store(store_path)
        for number in range(3):
            save(store, f"artifact-{number}", bytes([number]) * 30_000)
            recorder.operations.append(("acknowledge", Path(f"artifact-{number}"), None))
        store.close()
    found: list[str] = []
    states = 0
    for place, acknowledged in disks(recorder.operations, blank, tmp_path):
        states += 1
        found += broken_promises(place, acknowledged)
    return states, found


def test_bytes_before_facts_whenever_the_power_fails(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states, found = cut_everywhere(store_path, tmp_path, monkeypatch)
    assert states > 30
    assert found == []


def without_file_sync(files: BlobFiles, scratches: Any, known: Any) -> None:
    """Publish, but never sync a file's bytes."""
    for scratch in scratches:
        os.replace(scratch.path, files.volume_path(scratch.volume))
    for directory in {files.volume_path(scratch.volume).parent for scratch in scratches}:
        fd = os.open(directory, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def without_directory_sync(files: BlobFiles, scratches: Any, known: Any) -> None:
    """Publish, but never sync the directory that received the name."""
    for scratch in scratches:
        os.fsync(scratch.fd)
        os.replace(scratch.path, files.volume_path(scratch.volume))


@pytest.mark.parametrize("weakened", [without_file_sync, without_directory_sync])
def test_a_weaker_order_of_publication_is_caught_by_this_very_check(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weakened: Callable[..., None]
) -> None:
    monkeypatch.setattr(BlobFiles, "publish", weakened)
    _, found = cut_everywhere(store_path, tmp_path, monkeypatch)
    assert found


def test_an_acknowledgement_before_the_commit_is_caught_by_this_very_check(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ticket, "wait", lambda ticket: None)
    monkeypatch.setattr(committer, "LINGER_S", 0.5)
    _, found = cut_everywhere(store_path, tmp_path, monkeypatch)
    assert any("was acknowledged" in promise for promise in found)


def test_a_creation_writes_its_format_last_and_one_cut_off_before_that_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_path = tmp_path / "new" / "folder" / "store"
    with monkeypatch.context() as patched:
        recorder = Recorder(patched, store_path)
        open_store(store_path).close()
    kinds = [(kind, path.name) for kind, path, _ in recorder.operations]
    last_commit = max(place for place, (kind, _) in enumerate(kinds) if kind == "commit")
    format_named = next(place for place, (kind, name) in enumerate(kinds) if kind == "rename" and "FORMAT" in name)
    synced = {name for place, (kind, name) in enumerate(kinds) if kind == "sync directory" and place < format_named}
    assert last_commit < format_named
    assert {"log", "blobs", "store", "folder", "new", tmp_path.name} <= synced
    (store_path / "FORMAT").unlink()
    store = open_store(store_path)
    assert store.head().seq == 1
    store.close()
