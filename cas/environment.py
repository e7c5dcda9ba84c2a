"""The LMDB environment of a store: opened once a process, closed over its traps.

Settings and rules that may not change: synced commits with synced meta pages, no writable map, a map that is never
resized, a write transaction committed by the thread that began it, no handle used after a fork.
"""

from __future__ import annotations

import errno
import os
import struct
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import lmdb

from ..errors import LinealError, LogCorrupt, StoreBroken, StoreClosed, StoreFull
from .durable import disk_errors, full

DATA_FILE = "data.mdb"
_MAX_READERS = 512
_MAX_DATABASES = 64
_SMALLEST_MAP_BYTES = 1 << 30
_COMMIT_BYTES = 64 * 1024
"""About what the pages of the smallest commit take."""
_LOW_SPACE_BYTES = 16 * 1024 * 1024
_META_BYTES = 65536 * 2
"""Two pages of the largest size there is."""
_PAGE_SIZE_OFFSET = 40
_HEAD_TRIES = 5
_META_MAGIC = 0xBEEFC0DE
_FULL_TEXTS = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT))
_DAMAGE = (
    lmdb.CorruptedError,
    lmdb.IncompatibleError,
    lmdb.InvalidError,
    lmdb.PageNotFoundError,
    lmdb.VersionMismatchError,
)
_reopening = threading.Lock()
_REOPEN_HINT = "Open the store again; what was acknowledged is safe."


class _Gate:
    """Lets a fork happen only while no thread is inside LMDB: a child could never close what was in use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._inside = 0
        self._is_forking = False

    def enter(self) -> None:
        """Go in; waits while the process forks."""
        with self._lock:
            while self._is_forking:
                self._changed.wait()
            self._inside += 1

    def leave(self) -> None:
        """Come out."""
        with self._lock:
            self._inside -= 1
            if self._is_forking:
                self._changed.notify_all()

    def close(self) -> None:
        """Wait until nobody is inside, and let nobody in."""
        with self._changed:
            self._is_forking = True
            while self._inside:
                self._changed.wait()

    def open(self) -> None:
        """Let threads in again."""
        with self._changed:
            self._is_forking = False
            self._changed.notify_all()


class Transaction:
    """A transaction as a context manager: committed at its end, aborted where it raises, with errors that are ours."""

    __slots__ = ("_environment", "_needed_bytes", "_txn", "_write")

    def __init__(self, environment: Environment, write: bool, needed_bytes: int) -> None:
        self._environment = environment
        self._write = write
        self._needed_bytes = needed_bytes

    def __enter__(self) -> lmdb.Transaction:
        environment = self._environment
        environment.gate.enter()
        try:
            self._txn = environment._begin(self._write)
        except BaseException as error:
            environment.gate.leave()
            if isinstance(error, lmdb.Error):
                raise environment.translated(error, self._needed_bytes) from error
            raise
        return self._txn

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._txn.__exit__(kind, error, trace)
        except lmdb.Error as failure:
            error = failure
        finally:
            self._environment.gate.leave()
        if isinstance(error, lmdb.Error):
            raise self._environment.translated(error, self._needed_bytes) from error


_environments: weakref.WeakSet[Environment] = weakref.WeakSet()


def _before_fork() -> None:
    for environment in list(_environments):
        environment.gate.close()


def _after_fork_in_parent() -> None:
    for environment in list(_environments):
        environment.gate.open()


def _after_fork_in_child() -> None:
    for environment in list(_environments):
        environment.be_inherited()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


class Environment:
    """One LMDB environment with its named databases. Threads may share it; a forked child opens it anew."""

    def __init__(
        self,
        directory: Path,
        databases: Sequence[str],
        *,
        map_size_bytes: int,
        read_only: bool,
        is_alone: bool = False,
    ) -> None:
        """Open the environment; make it, and databases that are missing, unless read-only.

        Whoever makes sure that nobody else has it open may go without its locks, and touches no file if read-only.

        Raises:
            LogCorrupt: The file is truncated or is no LMDB file. It is checked before it is mapped,
                since touching a page beyond the end of the file would kill the process.
        """
        self._directory = directory
        self._data_path = str(directory / DATA_FILE)
        self._names = tuple(databases)
        self._map_size_bytes = map_size_bytes
        self.read_only = read_only
        self._is_alone = is_alone
        self.gate = _Gate()
        self._is_inherited = False
        self._closed = False
        self._open()
        _environments.add(self)

    def be_inherited(self) -> None:
        """Hear that this is a forked child now, in which the handle may only be closed."""
        self.gate = _Gate()
        self._is_inherited = True

    def _open(self) -> None:
        check_file(self._directory / DATA_FILE)
        try:
            self._env = _open_largest(self._directory, self._map_size_bytes, self.read_only, self._is_alone)
            self._env.reader_check()
            # Taken anew in each transaction: a forked child opens the environment again, and has other handles.
            self.databases: Mapping[str, Any] = dict(self._opened())
        except lmdb.Error as error:
            raise self.translated(error, 0) from error
        try:
            self._identity = self._found_identity()
        except BaseException:
            self._env.close()  # It is opened once a process: nobody could open it again.
            raise

    def _opened(self) -> Iterator[tuple[str, Any]]:
        """The databases; a read-only handle goes without those that an older version didn't make."""
        for name in self._names:
            try:
                yield name, self._env.open_db(name.encode(), create=not self.read_only)
            except lmdb.NotFoundError:
                if not self.read_only:
                    raise

    def begin(self, *, write: bool = False, needed_bytes: int = 0) -> Transaction:
        """A transaction, to be entered with ``with``, and used only on this thread.

        A reader must be short-lived: it keeps every page that is freed after it began. ``needed_bytes`` is about how
        much is to be written, for the error of a full disk.
        """
        return Transaction(self, write, needed_bytes)

    @contextmanager
    def changing(self, needed_bytes: int = 0) -> Iterator[Changes]:
        """A write transaction whose changes are gathered, and durable once the block has ended."""
        with self.begin(write=True, needed_bytes=needed_bytes) as txn:
            changes = Changes(self, txn)
            yield changes
            changes.flush()

    def _begin(self, write: bool) -> lmdb.Transaction:
        if self._closed:
            raise StoreClosed("the store is closed", where=self._directory, hint="Open it again.")
        if self._is_inherited:
            self._reopen_after_fork()
        if write and self.read_only:
            raise StoreClosed(
                "the store was opened read-only", where=self._directory, hint="Open it without read_only=True to write."
            )
        if write and self._found_identity() != self._identity:
            raise _moved(self._directory)
        try:
            return self._env.begin(write=write)
        except lmdb.ReadersFullError:
            self._env.reader_check()
            return self._env.begin(write=write)

    def _reopen_after_fork(self) -> None:
        """Leave the parent's handle alone but for closing it here: used in a child it would break both silently."""
        with _reopening:
            if self._is_inherited:
                was = self._identity
                self._env.close()
                self._open()
                if self._identity != was:
                    raise _moved(self._directory)
                self._is_inherited = False

    def _found_identity(self) -> tuple[int, int] | None:
        """Which file is at the database's path: writes go to the one that was opened, and blobs to the path."""
        try:
            state = os.stat(self._data_path)
        except FileNotFoundError:
            return None
        except OSError as error:
            with disk_errors(self.data_file):
                raise error from None
        return state.st_dev, state.st_ino

    @property
    def data_file(self) -> Path:
        """The file that LMDB maps."""
        return self._directory / DATA_FILE

    @property
    def map_size_bytes(self) -> int:
        """How large the file may become."""
        return self._map_size_bytes

    def translated(self, error: lmdb.Error, needed_bytes: int) -> LinealError:
        """LMDB's error as one of ours: full, corrupt, closed, or broken until reopened."""
        needed_bytes = max(needed_bytes, _COMMIT_BYTES)
        if self._closed:
            return StoreClosed("the store was closed meanwhile", where=self._directory, hint="Open it again.")
        if isinstance(error, lmdb.MapFullError):
            return StoreFull(
                f"the log has reached its fixed size of {self._map_size_bytes:,} bytes",
                where=self._directory,
                hint="Copy the store into one made with a larger map_size_bytes.",
                needed_bytes=needed_bytes,
            )
        if isinstance(error, _DAMAGE):
            return LogCorrupt(
                f"the database of the log is damaged: {error}", where=self._directory, hint="Restore it from a copy."
            )
        if any(text in str(error) for text in _FULL_TEXTS) or self._is_low_on_space():
            return full(self._directory, needed_bytes)
        return StoreBroken(f"the log could not be used: {error}", where=self._directory, hint=_REOPEN_HINT)

    def _is_low_on_space(self) -> bool:
        import shutil  # Imported on use: it brings every kind of compression.

        return shutil.disk_usage(self._directory).free < _LOW_SPACE_BYTES

    def close(self) -> None:
        """Close the environment; closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._env.close()


class Changes:
    """What one write transaction will put, gathered so that LMDB is called once a database instead of once a row.

    Each call of LMDB gives up the interpreter's lock and waits to get it back; a thousand rows in one call don't.
    """

    def __init__(self, environment: Environment, txn: lmdb.Transaction) -> None:
        """Gather for a transaction of this environment."""
        self._databases = environment.databases
        self._puts: dict[str, dict[bytes, bytes]] = {}
        self._deletes: dict[str, set[bytes]] = {}
        self.txn = txn

    def get(self, database: str, key: bytes) -> bytes | None:
        """The value as it will be: gathered, else in the database."""
        gathered = self._puts.get(database)
        if gathered is not None and key in gathered:
            return gathered[key]
        if self._deletes and key in self._deletes.get(database, ()):
            return None
        found = self.txn.get(key, db=self._databases[database])
        return None if found is None else bytes(found)

    def gathered(self, database: str) -> dict[bytes, bytes]:
        """What is to be put into a database by then, to be added to: cheaper than `put` where there is much."""
        return self._puts.setdefault(database, {})

    def put(self, database: str, key: bytes, value: bytes) -> None:
        """Put a value under a key, over what was there."""
        self._puts.setdefault(database, {})[key] = value
        if self._deletes:
            self._deletes.get(database, set()).discard(key)

    def delete(self, database: str, key: bytes) -> None:
        """Take a key and its value out, if it is there."""
        self._puts.get(database, {}).pop(key, None)
        self._deletes.setdefault(database, set()).add(key)

    def cursor(self, database: str) -> lmdb.Cursor:
        """A cursor over what is in the database already, without what is gathered."""
        return self.txn.cursor(self._databases[database])

    def flush(self) -> None:
        """Hand everything gathered to LMDB, in the order of the keys."""
        for database, puts in self._puts.items():
            if puts:
                keys = sorted(puts)  # Twice as fast as to sort the items.
                with self.cursor(database) as cursor:
                    cursor.putmulti(zip(keys, map(puts.__getitem__, keys), strict=True), dupdata=True, overwrite=True)
                puts.clear()
        for database, deleted in self._deletes.items():
            for key in sorted(deleted):
                self.txn.delete(key, db=self._databases[database])
        self._deletes.clear()


def _moved(directory: Path) -> StoreBroken:
    return StoreBroken("the store was moved or removed while it was open", where=directory, hint=_REOPEN_HINT)


def _open_largest(directory: Path, map_size_bytes: int, read_only: bool, is_alone: bool) -> lmdb.Environment:
    """Open with the wanted map, or with half of it and so on where address space is limited."""
    locks = os.access(directory, os.W_OK) and not is_alone
    while True:
        try:
            return lmdb.open(
                str(directory),
                map_size=map_size_bytes,
                max_dbs=_MAX_DATABASES,
                max_readers=_MAX_READERS,
                readonly=read_only,
                lock=locks,
                create=not read_only,
                writemap=False,
                sync=True,
                metasync=True,
            )
        except (lmdb.MemoryError, MemoryError):
            if map_size_bytes <= _SMALLEST_MAP_BYTES:
                raise
            map_size_bytes //= 2


def check_file(path: Path) -> None:
    """Check that an LMDB file is as long as its newest meta page says, and which one that is, without mapping it.

    The meta pages' place and fields are those of LMDB's data format 1 (``mdb.c``, MDB_meta). Commits write them in
    turn, so their transactions are one apart; a number with a flipped bit would bring back what an old commit left.
    A missing file passes.

    Raises:
        LogCorrupt: It is shorter, or its meta pages don't fit each other, or it is no LMDB file at all.
    """
    for _ in range(_HEAD_TRIES):  # A commit may fall between the reading of one page and the other.
        found = _heads(path)
        if found is None:
            return
        (first, first_bytes), (second, second_bytes), page_bytes, size_bytes = found
        if abs(first - second) <= 1 or not (first_bytes and second_bytes):
            break
    else:
        raise LogCorrupt(
            "the log's database has lost the order of its commits", where=path, hint="Restore it from a copy."
        )
    needed_bytes = max((first, first_bytes), (second, second_bytes))[1]
    if size_bytes < 2 * page_bytes or needed_bytes == 0:
        raise LogCorrupt("the log's database has lost its first pages", where=path, hint="Restore it from a copy.")
    if size_bytes < needed_bytes:
        raise LogCorrupt(
            f"the log's database is truncated: {size_bytes:,} bytes of {needed_bytes:,}",
            where=path,
            hint="Restore it from a copy; do not write to it.",
        )


def last_commit(path: Path) -> int:
    """Number of the last transaction that an LMDB file has, read without mapping it; 0 if it is none."""
    found = _heads(path)
    return 0 if found is None else max(found.first[0], found.second[0])


class _Heads(NamedTuple):
    """What the meta pages of an LMDB file say: the transaction of each, and the file size it needs."""

    first: tuple[int, int]
    second: tuple[int, int]
    page_bytes: int
    size_bytes: int
    """Of the file as it is."""


def _heads(path: Path) -> _Heads | None:
    try:
        with open(path, "rb", buffering=0) as file:
            head = file.read(_META_BYTES)
            size_bytes = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return None
    page_bytes = struct.unpack_from("<I", head, _PAGE_SIZE_OFFSET)[0] if len(head) > _PAGE_SIZE_OFFSET + 4 else 0
    return _Heads(_needed_bytes(head, 0), _needed_bytes(head, page_bytes), page_bytes, size_bytes)


def _needed_bytes(head: bytes, offset: int) -> tuple[int, int]:
    """The transaction number of the meta page at this offset, and the file size it needs; zeros if it is none."""
    if len(head) < offset + 152:
        return 0, 0
    magic, _version = struct.unpack_from("<II", head, offset + 16)
    (page_bytes,) = struct.unpack_from("<I", head, offset + _PAGE_SIZE_OFFSET)
    last_page, transaction = struct.unpack_from("<QQ", head, offset + 136)
    return (transaction, (last_page + 1) * page_bytes) if magic == _META_MAGIC else (0, 0)
