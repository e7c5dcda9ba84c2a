"""Ways to weaken the protocol inside a workload's process. Each one must be found out."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb

from lineal import migration
from lineal.bundles import importing
from lineal.cas import BlobFiles, BlobStore, Changes, Digest, Environment, mending, sweep
from lineal.cas.compact import Waste
from lineal.cas.format import FormatFile, write_format_file
from lineal.cas.pack import PackWriter
from lineal.cas.place import Volume
from lineal.cas.progress import Stage
from lineal.events.committer import Committer
from lineal.events.projection_writer import Placed, ProjectionWriter
from lineal.events.projections import Projection
from lineal.events.projector import Projector
from lineal.events.standing import META, decode_standing, encode_standing, standing_key
from lineal.store import Store, Stretch


def files_not_synced() -> None:
    """Give files their names with their bytes on the way."""
    _sync_only(lambda path, is_folder: is_folder or "/log/" in path)


def folders_not_synced() -> None:
    """Never sync a directory."""
    _sync_only(lambda path, is_folder: not is_folder)


def shards_not_synced() -> None:
    """Sync no directory of blobs."""
    _sync_only(lambda path, is_folder: "/blobs/" not in path or not is_folder)


def packs_not_synced() -> None:
    """Sync no pack."""
    real = PackWriter.seal

    def seal(pack: PackWriter) -> Volume:
        unsynced.add(pack.scratch.path)
        return real(pack)

    unsynced: set[Path] = set()
    PackWriter.seal = seal  # type: ignore[method-assign]
    _sync_only(lambda path, is_folder: Path(path) not in unsynced)


def pack_names_not_synced() -> None:
    """Sync the bytes of packs, but not their names."""
    _sync_only(lambda path, is_folder: not path.endswith("/packs"))


def format_not_synced() -> None:
    """Name the store a store before its FORMAT is on the disk."""
    _sync_only(lambda path, is_folder: "FORMAT" not in path)


def _sync_only(chosen: Callable[[str, bool], bool]) -> None:
    real = os.fsync

    def fsync(fd: int) -> None:
        if chosen(os.readlink(f"/proc/self/fd/{fd}"), stat.S_ISDIR(os.fstat(fd).st_mode)):
            real(fd)

    os.fsync = fsync


def commits_not_synced() -> None:
    """Commit without waiting for the disk."""
    _open_environment_with(sync=False)


def last_page_not_synced() -> None:
    """Commit with the page that makes it a commit still on the way."""
    _open_environment_with(metasync=False)


def _open_environment_with(**weaker: bool) -> None:
    real = lmdb.open

    def open_environment(*args: Any, **options: Any) -> lmdb.Environment:
        return real(*args, **{**options, **weaker})

    lmdb.open = open_environment


def facts_before_bytes() -> None:
    """Commit, and publish the blobs afterwards."""
    real_publish, real_commit, real_changing = BlobFiles.publish, Committer._commit, Environment.changing
    late: list[tuple[Any, ...]] = []

    def publish(*arguments: Any) -> None:
        late.append(arguments)

    def commit(committer: Committer, batch: list[Any]) -> None:
        real_commit(committer, batch)
        publish_late()

    @contextmanager
    def changing(*arguments: Any) -> Iterator[Changes]:
        with real_changing(*arguments) as changes:
            yield changes
        publish_late()

    def publish_late() -> None:
        while late:
            real_publish(*late.pop(0))

    BlobFiles.publish = publish  # type: ignore[method-assign]
    BlobStore.check = lambda *arguments: None  # type: ignore[method-assign]
    Committer._commit = commit  # type: ignore[method-assign]
    Environment.changing = changing  # type: ignore[method-assign]


def found_files_trusted() -> None:
    """Take a file that is in place for durable."""
    real = BlobFiles.publish

    def publish(files: BlobFiles, scratches: Any, known: Any) -> None:
        real(files, scratches, ())

    BlobFiles.publish = publish  # type: ignore[method-assign]


def names_by_others_trusted() -> None:
    """Take a name that another process has given to a file for durable."""
    BlobFiles.secure = lambda *arguments: None  # type: ignore[method-assign]


def acknowledged_before_commit() -> None:
    """Say that it is durable while it waits to be committed."""
    real_commit = Committer._commit

    def commit(committer: Committer, batch: list[Any]) -> None:
        time.sleep(0.2)
        real_commit(committer, batch)

    Committer._commit = commit  # type: ignore[method-assign]
    for waits in ("drain", "flush", "await_ticket"):
        setattr(Committer, waits, lambda *arguments: None)


def migrated_copy_not_synced() -> None:
    """Put a migrated copy of the log in its place with its pages on the way."""
    real = lmdb.open

    def open_environment(path: str, **options: Any) -> lmdb.Environment:
        return real(path, **{**options, "sync": not path.endswith("/log.new")})

    lmdb.open = open_environment
    _sync_only(lambda path, is_folder: "/log.new/" not in path)


def kept_log_not_synced() -> None:
    """Put a migrated copy in the log's place while the old log's second name is on the way."""
    _sync_only(lambda path, is_folder: not path.endswith("/log.1"))


def swap_not_synced() -> None:
    """Say that a store has today's format while its log's name may still lead to the old one."""
    _sync_only(lambda path, is_folder: not path.endswith("/log"))


def swapped_after_format() -> None:
    """Say that a store has today's format, and bring its log there afterwards."""
    real_swap = migration._swap

    def swap(path: Path, file: FormatFile) -> None:
        write_format_file(path, migration.KNOWN, file.replaced(version=migration.FORMAT_VERSION))
        real_swap(path, file.replaced(version=migration.FORMAT_VERSION))

    migration._swap = swap
    migration.kept_log = lambda path, version: path / "log.1"


def files_removed_with_their_rows() -> None:
    """Remove files in the transaction that takes out the last rows that name them."""
    real = sweep._forget

    def forget(blobs: BlobStore, changes: Changes, *arguments: Any) -> tuple[list[Digest], list[Volume]]:
        forgotten, freed = real(blobs, changes, *arguments)
        changes.flush()
        sweep._remove(blobs, changes, freed, sweep.Swept(), Stage("collecting"))
        return forgotten, []

    sweep._forget = forget


def files_removed_with_the_move() -> None:
    """Remove a compacted file in the transaction that moves the rows away from it."""
    real = sweep.move

    def move(blobs: BlobStore, changes: Changes, waste: Waste, new: Volume) -> bool:
        is_moved = real(blobs, changes, waste, new)
        changes.flush()
        blobs.files.remove(waste.volume)
        return is_moved

    sweep.move = move


def bad_files_renamed() -> None:
    """Move bad files away by a rename, whose two halves may reach the disk in either order."""
    mending.move_durably = lambda path, target: path.rename(target)


def replayed_in_place() -> None:
    """Replay into the rows in force, which are emptied first."""

    def in_force(self: Projector, changes: Changes, projection: Projection) -> str:
        standing = self._standing(changes, projection)
        return projection.name if standing is None else standing.database

    Projector._shadow = in_force  # type: ignore[method-assign]


def version_said_first() -> None:
    """Say from the first piece of a replay on that a projection is of today's version."""
    real = Projector._say

    def say(self: Projector, changes: Changes, projection: Projection, *arguments: Any) -> None:
        real(self, changes, projection, *arguments)
        standing = self._standing(changes, projection)
        assert standing is not None
        said = encode_standing(standing._replace(version=projection.version))
        changes.put(META, standing_key(projection.name), said)

    Projector._say = say  # type: ignore[assignment, method-assign]


def imported_in_pieces() -> None:
    """Commit what a bundle brings a few events at a time."""
    real = Store.copy_within

    @contextmanager
    def changing(environment: Environment, needed_bytes: int = 0) -> Iterator[Changes]:
        changes = Changes(environment, environment._begin(True))
        yield changes
        changes.flush()
        changes.txn.commit()

    def copy_within(store: Store, changes: Changes, stretches: Iterable[Stretch]) -> None:
        for stretch in stretches:
            real(store, changes, [stretch])
            changes.txn.commit()
            changes.txn = store.environment._begin(True)

    importing._STRETCH_EVENTS = 3
    Environment.changing = changing  # type: ignore[method-assign]
    Store.copy_within = copy_within  # type: ignore[method-assign]


def caught_up_before_the_rows() -> None:
    """Say that a projection that is kept behind is caught up, and write its rows afterwards."""
    real = Projector.catch_up

    def catch_up(self: Projector, name: str) -> None:
        if name not in self._behind or self.lag(name) == 0:
            return
        key, meta = standing_key(name), self._env.databases[META]
        with self._env.begin(write=True) as txn:
            before = txn.get(key, db=meta)
            standing = decode_standing(before)
            assert standing is not None
            txn.put(key, encode_standing(standing._replace(upto=self._log.head().seq)), db=meta)
        with self._env.begin(write=True) as txn:
            txn.put(key, before, db=meta)
            changes = self._gather(txn)
            writer = ProjectionWriter(changes, [Placed(self._behind[name], standing.database)])
            for recorded in self._log.scan(standing.upto or 0):
                writer.apply(recorded)
                upto = recorded.seq
            changes.put(META, key, encode_standing(standing._replace(upto=upto)))
            changes.flush()
        real(self, name)

    Projector.catch_up = catch_up  # type: ignore[method-assign]


WEAKNESSES: dict[str, Callable[[], None]] = {
    weakness.__name__: weakness
    for weakness in (
        files_not_synced,
        folders_not_synced,
        shards_not_synced,
        packs_not_synced,
        pack_names_not_synced,
        format_not_synced,
        commits_not_synced,
        last_page_not_synced,
        facts_before_bytes,
        found_files_trusted,
        names_by_others_trusted,
        migrated_copy_not_synced,
        kept_log_not_synced,
        swap_not_synced,
        swapped_after_format,
        files_removed_with_their_rows,
        files_removed_with_the_move,
        bad_files_renamed,
        acknowledged_before_commit,
        replayed_in_place,
        version_said_first,
        imported_in_pieces,
        caught_up_before_the_rows,
    )
}
