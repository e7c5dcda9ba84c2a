"""Brings a store of an older format to today's: by copy, verify, swap, keeping the old log until told.

Blob files and packs are not touched: the old log and the new one share them. Invariant: at every moment ``log/`` holds
a whole log, of the format that FORMAT says or, while FORMAT requires `MIGRATING`, of the one that the log itself says.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from .cas import CATALOG, BlobFiles, Changes, Digest, Environment, Row
from .cas.durable import NO_LINKS, allocate, disk_errors, sync_directory, write_all, write_durably
from .cas.environment import DATA_FILE, check_file
from .cas.format import FORMAT_FILE, FormatFile, read_format_file, write_format_file
from .cas.format_1 import decode_row_1, upgrade_catalog
from .cas.locks import only_creator, only_user
from .cas.place import decode_row
from .cas.progress import STEP_BYTES, Stage
from .cas.structure import structural_faults
from .directory import (
    DATABASES_OF_STORE,
    FORMAT_VERSION,
    KNOWN,
    LOG,
    MIGRATING,
    NEW_LOG,
    OldLog,
    format_of,
    is_old,
    kept_log,
    not_found,
    old_logs,
    require_log,
)
from .errors import Conflict, Corrupt, LogCorrupt, StoreFull
from .events.catalogue import StoreCreated
from .events.log import EVENTS, Head, Log
from .events.projector import Projector
from .events.standing import META

_LOG_FORMAT_KEY = b"format"
_LEAST_BYTES = 1024 * 1024
_ROWS = 1000


class Migration(NamedTuple):
    """The way from one format to the next."""

    apply: Callable[[Environment, Stage], None]
    """Changes a copy of the log's database, in as many transactions as it likes; tells the stage of bytes done."""
    decode_row: Callable[[bytes, bytes], Row]
    """Reads a catalog row of the older format, by digest; raises `BlobCorrupt` if it is damaged."""


MIGRATIONS: Mapping[int, Migration] = {1: Migration(upgrade_catalog, decode_row_1)}
"""By the format that each starts from. A new format adds its line; the chain is gone through from any older one."""


class Foreseen(NamedTuple):
    """What a migration would find."""

    path: Path
    version: int
    """The store's format."""
    needed_bytes: int
    """The room that it may take; 0 for today's format."""
    old_logs: list[OldLog]
    """What earlier ones have kept."""


def foreseen(path: Path) -> Foreseen:
    """What opening a store to write would do to it first. Changes nothing."""
    if not (path / FORMAT_FILE).exists():
        raise not_found(path)
    file = read_format_file(path, KNOWN)
    require_log(path)
    needed_bytes = _needed_bytes(path) if is_old(file) else 0
    return Foreseen(path, file.version, needed_bytes, old_logs(path))


def migrate_store(path: Path) -> None:
    """Bring a store to today's format; one that has it is left alone, one cut short is gone on with.

    The store is as it was if it is refused. Cost: about 50 µs an event, most of it for the projections, and room for
    as much again as the log takes, up to twice that.

    Raises:
        Conflict: Another process has the store open, or what is kept of an earlier migration is in the way.
        StoreFull: There is not that much room; ``needed_bytes`` says how much.
        Corrupt: The log is damaged, so that the new one can't be shown to say the same.
    """
    with only_creator(path):
        file = read_format_file(path, KNOWN)
        if not is_old(file):
            return
        with only_user(path / LOG):
            _undo_half_a_swap(path, file)
            require_log(path)
            try:
                with _refusals(path, file):
                    is_done = _log_says(path, file) == FORMAT_VERSION
                    if not is_done:
                        _require_place(path, file)
                        _make_copy(path, file)
                if not is_done:
                    _swap(path, file)
            except BaseException:
                shutil.rmtree(path / NEW_LOG, ignore_errors=True)
                raise
        BlobFiles(path).create()
        write_format_file(path, KNOWN, _settled(file).replaced(version=FORMAT_VERSION))
        shutil.rmtree(path / NEW_LOG, ignore_errors=True)


def drop_old_logs(path: Path) -> list[OldLog]:
    """Remove the logs that migrations have kept, for good; give what they were."""
    with only_creator(path), disk_errors(path):
        dropped = old_logs(path)
        for old in dropped:
            shutil.rmtree(old.path)
        sync_directory(path)
        return dropped


def _settled(file: FormatFile) -> FormatFile:
    return file.replaced(required=tuple(name for name in file.required if name != MIGRATING))


def _needed_bytes(path: Path) -> int:
    return 2 * (path / LOG / DATA_FILE).stat().st_size + _LEAST_BYTES


def _undo_half_a_swap(path: Path, file: FormatFile) -> None:
    """Where files have but one name, the log may have been set aside, and nothing put in its place."""
    log, kept = path / LOG / DATA_FILE, kept_log(path, file.version) / DATA_FILE
    if MIGRATING in file.required and not log.exists() and kept.exists():
        os.rename(kept, log)
        sync_directory(log.parent)


def _log_says(path: Path, file: FormatFile) -> int:
    """The format of the log in force, as it says itself; those made in a format don't."""
    with closing(_opened_alone(path, file)) as environment, environment.begin() as txn:
        meta = environment.databases.get(META)
        found = None if meta is None else txn.get(_LOG_FORMAT_KEY, db=meta)
    return file.version if found is None else int(bytes(found))


def _opened_alone(path: Path, file: FormatFile) -> Environment:
    size_bytes = format_of(file, path).map_size_bytes
    names = DATABASES_OF_STORE
    return Environment(path / LOG, names, map_size_bytes=size_bytes, read_only=True, is_alone=True)


@contextmanager
def _refusals(path: Path, file: FormatFile) -> Iterator[None]:
    """Say of what goes wrong that nothing was changed by it."""
    try:
        yield
    except StoreFull as error:
        needed_bytes = _needed_bytes(path)
        raise StoreFull(
            f"no room left to bring the store to format {FORMAT_VERSION}: that takes up to {needed_bytes:,} bytes",
            where=path,
            hint="Free that much space and open the store again; it is as it was.",
            needed_bytes=needed_bytes,
        ) from error
    except Corrupt as error:
        context = f"the store stays at format {file.version}, as it was"
        raise error.about(context, hint="Repair it with the Lineal that wrote it, or restore its log.") from error


def _make_copy(path: Path, file: FormatFile) -> None:
    """Copy the log, migrate the copy and verify it."""
    new = path / NEW_LOG
    shutil.rmtree(new, ignore_errors=True)
    with disk_errors(path, _needed_bytes(path)):
        new.mkdir()
        _copy(path / LOG / DATA_FILE, new / DATA_FILE)
        _migrate(path, file)


def _copy(source: Path, target: Path) -> None:
    check_file(source)
    with open(source, "rb", buffering=0) as old, open(target, "xb", buffering=0) as new:
        size_bytes = os.fstat(old.fileno()).st_size
        allocate(new.fileno(), size_bytes)
        stage = Stage("copying the log", size_bytes)
        while block := old.read(STEP_BYTES):
            write_all(new.fileno(), block, preallocate=False, stage=stage)
        os.fsync(new.fileno())
    faults = structural_faults(target)
    if faults:
        raise LogCorrupt(f"the log's database is damaged: {faults[0]}", where=source)


def _migrate(path: Path, file: FormatFile) -> None:
    format_ = format_of(file, path)
    new = Environment(path / NEW_LOG, DATABASES_OF_STORE, map_size_bytes=format_.map_size_bytes, read_only=False)
    with closing(new), closing(_opened_alone(path, file)) as old:
        stage = Stage("migrating the log")
        for version in range(file.version, FORMAT_VERSION):
            MIGRATIONS[version].apply(new, stage)
        Projector(new, _ToldLog(new), partial(Changes, new)).rebuild()
        with new.begin(write=True) as txn:
            txn.put(_LOG_FORMAT_KEY, str(FORMAT_VERSION).encode(), db=new.databases[META])
        _verify(old, new, MIGRATIONS[file.version].decode_row)
        first = Log(new).get(1).event
        if not isinstance(first, StoreCreated) or first.store != format_.store:
            raise LogCorrupt("the log belongs to another store than FORMAT names", where=path)
    with open(path / NEW_LOG / DATA_FILE, "rb") as data:
        os.fsync(data.fileno())


class _ToldLog(Log):
    """A log that tells how far a replay of it is."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._stage = Stage("replaying the log")

    def stored(self, after: int = 0, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
        for seq, value in super().stored(after, upto):
            self._stage.advance(len(value))
            yield seq, value


def _verify(old: Environment, new: Environment, decode_old: Callable[[bytes, bytes], Row]) -> None:
    """Compare what two logs say. Raises `LogCorrupt` where it is not the same, `BlobCorrupt` if a row is damaged."""
    size_bytes = sum(len(value) for _, value in _rows(old, EVENTS)) if Stage("").is_heard else 0
    head = Log(new).verify(advance=Stage("verifying the log", size_bytes).advance)
    if head != Log(old).head() or head == Head(0, head.chain):
        raise LogCorrupt("the new log doesn't end where the old one does", where=old.data_file)
    stage = Stage("verifying the catalog")
    for before, after in zip_longest(_rows(old, CATALOG), _rows(new, CATALOG)):
        if before is None or after is None or before[0] != after[0]:
            raise LogCorrupt("the new catalog has other blobs than the old one", where=old.data_file)
        if decode_old(*before) != decode_row(*after):
            digest = Digest(before[0])
            raise LogCorrupt(f"the new catalog says something else of blob {digest}", where=old.data_file)
        stage.advance(len(before[1]))


def _rows(environment: Environment, database: str) -> Iterator[tuple[bytes, bytes]]:
    """The rows of a database that nobody changes, in order."""
    with environment.begin() as txn, txn.cursor(environment.databases[database]) as cursor:
        for key, value in cursor:
            yield bytes(key), bytes(value)


def _swap(path: Path, file: FormatFile) -> None:
    """Put the copy in the old log's place, and keep that: its second name is durable before it loses the first."""
    log, kept = path / LOG, kept_log(path, file.version)
    with disk_errors(path):
        kept.mkdir(exist_ok=True)
        # The directory's name is made durable with it.
        write_format_file(path, KNOWN, file.replaced(required=(*_settled(file).required, MIGRATING)))
        write_durably(kept / FORMAT_FILE, _settled(file).encoded(KNOWN))
        _keep(log / DATA_FILE, kept / DATA_FILE)
        sync_directory(kept)
        _put_in_place(path / NEW_LOG / DATA_FILE, log / DATA_FILE)


def _put_in_place(copy: Path, data: Path) -> None:
    os.replace(copy, data)
    sync_directory(data.parent)


def _require_place(path: Path, file: FormatFile) -> None:
    """Raise `Conflict` if another log is kept where the old one is to be: it is not written over."""
    kept = kept_log(path, file.version)
    there = kept / DATA_FILE
    if there.exists() and not _are_equal(there, path / LOG / DATA_FILE):
        raise Conflict(
            f"{kept.name} holds another log already", where=kept, hint=f"Move {kept} away, and open the store again."
        )


def _are_equal(one: Path, other: Path) -> bool:
    if one.samefile(other):
        return True
    with open(one, "rb") as first, open(other, "rb") as second:
        while (block := first.read(STEP_BYTES)) == second.read(STEP_BYTES):
            if not block:
                return True
    return False


def _keep(data: Path, kept: Path) -> None:
    """Give the old log a second name, or, where the file system has no hard links, another one."""
    kept.unlink(missing_ok=True)  # It is the same file, or an equal one that may not be durable.
    try:
        os.link(data, kept)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        os.rename(data, kept)
