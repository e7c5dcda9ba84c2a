"""The directory of a store: where it is found, how it is made, and what its FORMAT says.

Layout: ``FORMAT`` (written last at creation), ``log/`` (LMDB), ``blobs/00..ff/``, ``packs/``, ``tmp/``.
No absolute path is kept inside, so a store may be moved, copied while idle, or mounted read-only.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

from .cas import DATABASES, BlobFiles, Changes, Environment
from .cas.durable import sync_directory
from .cas.environment import DATA_FILE
from .cas.format import FORMAT_FILE, FormatFile, Known, read_format_file, write_format_file
from .cas.locks import only_creator
from .errors import FormatTooOld, LogCorrupt, NotAStore, StoreNotFound
from .events.catalogue import StoreCreated
from .events.codec import encode
from .events.ids import EventId, StoreId
from .events.kept_roots import HASH_TREE
from .events.log import EVENTS, Log, LogWriter
from .events.projections import PROJECTIONS
from .events.projector import Projector
from .events.standing import META, databases_of
from .immutable import Immutable

DIRECTORY_NAME = ".lineal"
ENVIRONMENT_VARIABLE = "LINEAL_STORE"
FORMAT_VERSION = 2
LOG = "log"
NEW_LOG = f"{LOG}.new"
"""The copy that a migration works on."""
_OLD_LOG = re.compile(rf"{LOG}\.([1-9][0-9]*)")
MIGRATING = "migrating"
"""Required from before a migration swaps the logs until it is done."""
KNOWN = Known("lineal", "store", FORMAT_VERSION, frozenset({MIGRATING}))
_OWN_NAMES = frozenset(
    {
        LOG,
        NEW_LOG,
        "blobs",
        "packs",
        "tmp",
        "quarantine",
        "cache",
        "projections",
        ".gitignore",
        FORMAT_FILE,
        f".{FORMAT_FILE}",
    }
)
_MAP_SIZE_BYTES = 256 << 30
NEW_STORE_BYTES = 1024 * 1024
"""More than a store takes, or its log, that has no events but its first."""
DATABASES_OF_STORE = (
    *DATABASES,
    EVENTS,
    HASH_TREE,
    META,
    *(name for one in PROJECTIONS for name in databases_of(one.name)),
)


class Format(Immutable):
    """What the FORMAT file says."""

    store: StoreId
    map_size_bytes: int


def find_store(path: str | os.PathLike[str] | None = None) -> Path:
    """Where the store is: the path given, else ``LINEAL_STORE``, else the nearest ``.lineal`` upwards, else here."""
    chosen = path if path is not None else os.environ.get(ENVIRONMENT_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    here = Path.cwd()
    for directory in (here, *here.parents):
        if (directory / DIRECTORY_NAME / FORMAT_FILE).exists():
            return directory / DIRECTORY_NAME
    return here / DIRECTORY_NAME


def open_environment(path: Path, map_size_bytes: int, read_only: bool) -> Environment:
    """Open the store's database, with everything that is kept in it."""
    return Environment(path / LOG, DATABASES_OF_STORE, map_size_bytes=map_size_bytes, read_only=read_only)


def require_log(path: Path) -> None:
    """Raise `LogCorrupt` if the log's file is gone: opening it would make a new one."""
    if not (path / LOG / DATA_FILE).exists():
        raise LogCorrupt("the store has lost its log", where=path / LOG, hint="Restore it from a copy.")


def not_found(path: Path) -> StoreNotFound | NotAStore:
    """The error of a directory that is no store, saying what it is instead."""
    inner = path / DIRECTORY_NAME
    if (inner / FORMAT_FILE).exists():
        return StoreNotFound("this directory is not a store, but it holds one", where=path, hint=f"Open {inner}.")
    if path.exists():
        return NotAStore("this is not a store", where=path, hint="Give the path of a store's own directory.")
    return StoreNotFound(
        "there is no store here",
        where=path,
        hint="Run a pipeline or save a value here, make a store with `lineal init`, or give a store's path.",
    )


def create_store(path: Path, time_us: int) -> None:
    """Make a store; several processes may try at once, and a crash on the way leaves what the next one clears.

    FORMAT comes last: a directory without it holds nothing that was ever acknowledged.
    """
    if path.exists() and not path.is_dir():
        raise NotAStore("a store is a directory, and this is a file", where=path, hint="Give another path.")
    _make_directory(path)
    with only_creator(path):
        if (path / FORMAT_FILE).exists():
            return
        foreign = sorted(entry.name for entry in path.iterdir() if not _is_own(entry.name))
        if foreign == [DIRECTORY_NAME]:
            raise not_found(path)
        if foreign:
            raise NotAStore(
                f"the directory is not empty and not a store; it holds {foreign[0]!r}",
                where=path,
                hint="Give an empty or a new directory.",
            )
        _clear_unfinished_log(path / LOG)
        for name in (LOG, "packs"):
            (path / name).mkdir(exist_ok=True)
        (path / ".gitignore").write_text("*\n", encoding="ascii")
        BlobFiles(path).create()
        format_ = Format(StoreId.new(), _MAP_SIZE_BYTES)
        created = StoreCreated(format_.store, FORMAT_VERSION)
        _create_log(path, format_, encode(created, event_id=EventId.new(), time_us=time_us, origin=format_.store))
        for directory in (path / LOG, path, path.parent):
            sync_directory(directory)
        _write_format(path, format_)


def _make_directory(path: Path) -> None:
    """Make a directory and those above it, each one's name durable."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    try:
        for directory in reversed(missing):
            directory.mkdir(exist_ok=True)
            sync_directory(directory.parent)
    except OSError as error:
        raise NotAStore(
            f"no store can be made here: {error.strerror}", where=path, hint="Give another path."
        ) from error


def _clear_unfinished_log(log: Path) -> None:
    """Remove what a creation that was cut short left, and only that: a log with facts in it is never removed."""
    if not log.exists():
        return
    try:
        environment = Environment(log, DATABASES_OF_STORE, map_size_bytes=_MAP_SIZE_BYTES, read_only=False)
    except LogCorrupt:
        has_facts = _size_bytes(log / DATA_FILE) > NEW_STORE_BYTES
    else:
        has_facts = Log(environment).head().seq > 1
        environment.close()
    if has_facts:
        raise LogCorrupt(
            "the store has lost its FORMAT file, but not its log",
            where=log.parent,
            hint="Put FORMAT back: it is the text that another store has, with this store's id.",
        )
    import shutil  # Imported on use: it brings every kind of compression.

    shutil.rmtree(log)


def create_replica(path: Path, store: StoreId, created: bytes) -> None:
    """Make, in an empty directory, a log that begins with the first event of another store and is taken for its log.

    It has no directories for files; what a crash leaves of it is worth nothing.
    """
    (path / LOG).mkdir()
    format_ = Format(store, _MAP_SIZE_BYTES)
    _create_log(path, format_, created)
    _write_format(path, format_)


def _create_log(path: Path, format_: Format, body: bytes) -> None:
    """Make the log, with its first event."""
    environment = open_environment(path, format_.map_size_bytes, read_only=False)
    try:
        with environment.begin(write=True, needed_bytes=len(body)) as txn:
            changes = Changes(environment, txn)
            LogWriter(changes).append(body)
            changes.flush()
        Projector(environment, Log(environment), partial(Changes, environment)).rebuild()
    finally:
        environment.close()


def _is_own(name: str) -> bool:
    return name in _OWN_NAMES or name.startswith(f".{FORMAT_FILE}.") or _OLD_LOG.fullmatch(name) is not None


def _write_format(path: Path, format_: Format) -> None:
    others = {"store": str(format_.store), "map_size_bytes": format_.map_size_bytes}
    write_format_file(path, KNOWN, FormatFile(FORMAT_VERSION, others=others))


def read_format(path: Path) -> Format:
    """What FORMAT says.

    Raises:
        NotAStore: There is none of ours.
        FormatTooNew: A newer version wrote it.
        FormatTooOld: It waits to be migrated.
    """
    file = read_format_file(path, KNOWN)
    if is_old(file):
        raise FormatTooOld(
            f"the store has format {file.version}, and has to be brought to format {FORMAT_VERSION} before it is read",
            where=path,
            hint="Run `lineal migrate`, or open it once without read_only=True; the old log is kept.",
        )
    return format_of(file, path)


def is_old(file: FormatFile) -> bool:
    """Whether a store has to be migrated, or its migration was cut short."""
    return file.version < FORMAT_VERSION or MIGRATING in file.required


def format_of(file: FormatFile, path: Path) -> Format:
    """What a store's FORMAT file says of it. Raises `NotAStore` if it says less than it must."""
    try:
        return Format(StoreId(bytes.fromhex(file.others["store"])), int(file.others["map_size_bytes"]))
    except (ValueError, KeyError, TypeError) as error:
        raise NotAStore(
            "its FORMAT file can't be read", where=path / FORMAT_FILE, hint="Restore it from a copy."
        ) from error


class OldLog(NamedTuple):
    """The log of an older format that a migration has kept."""

    version: int
    path: Path
    size_bytes: int


def kept_log(path: Path, version: int) -> Path:
    """Where a migration keeps the log of a format."""
    return path / f"{LOG}.{version}"


def old_logs(path: Path) -> list[OldLog]:
    """The logs that migrations have kept, oldest format first."""
    found = [(int(match[1]), place) for place in path.iterdir() if (match := _OLD_LOG.fullmatch(place.name))]
    return [OldLog(version, place, _size_bytes(place / DATA_FILE)) for version, place in sorted(found)]


def _size_bytes(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
