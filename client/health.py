"""What may be wrong with a store, or with the machine under it, looked at from outside in."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from ..cas.environment import DATA_FILE
from ..directory import ENVIRONMENT_VARIABLE, LOG, find_store
from ..errors import Corrupt, LinealError, MaterializerMissing
from ..history.version_list import every_version
from ..materializers import REGISTRY
from .client import Client
from .opening import open

_LIBRARIES = ("msgpack", "blake3", "lmdb", "cloudpickle", "numpy", "pyarrow")
_ROOM_MIN_BYTES = 1 << 30
_MAP_USED_MAX = 0.8
_CLOCK_SLACK_S = 60.0
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs"})
"""File systems whose memory maps or locks do not hold what LMDB asks of them."""


class Finding(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    """It works, but will not for long, or not for all."""
    PROBLEM = "problem"
    DAMAGE = "damage"
    """Stored bytes are not what was written."""


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    finding: Finding
    what: str
    hint: str | None = None


def examine(path: str | os.PathLike[str] | None = None) -> Iterator[Check]:
    """Look at the installation, the file system, the store and, quickly, what is in it; in that order.

    It changes nothing in the store but what opening does, and ends where nothing further can be looked at.
    """
    yield _libraries()
    found = find_store(path)
    yield from _file_system(found)
    try:
        client = open(found, create=False, read_only=not os.access(found, os.W_OK))
    except LinealError as error:
        yield _failed("store", error)
        return
    with client:
        for name, check in _CHECKS.items():
            try:
                yield from check(client)
            except LinealError as error:
                yield _failed(name, error)


def _failed(name: str, error: LinealError) -> Check:
    finding = Finding.DAMAGE if isinstance(error, Corrupt) else Finding.PROBLEM
    what = error.what if error.where is None else f"{error.what} [{error.where}]"
    return Check(name, finding, what, error.hint)


def _libraries() -> Check:
    found, missing = [f"Python {sys.version.split()[0]}"], []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("libraries", Finding.PROBLEM, f"not installed: {', '.join(missing)}", "Install lineal again.")
    return Check("libraries", Finding.OK, ", ".join(found))


def _file_system(store: Path) -> Iterator[Check]:
    place = store
    while not place.exists() and place != place.parent:
        place = place.parent
    kind = _kind_of(place)
    if kind in _REMOTE:
        yield Check(
            "file system",
            Finding.WARNING,
            f"{place} is on {kind}, whose locks and memory maps may not hold between machines",
            "Let one machine at a time use it, or keep the store on a local disk.",
        )
    else:
        yield Check("file system", Finding.OK, kind or "of unknown kind")
    usage = shutil.disk_usage(place)
    is_tight = usage.free < _ROOM_MIN_BYTES
    yield Check(
        "room",
        Finding.WARNING if is_tight else Finding.OK,
        f"{usage.free:,} bytes free",
        "Run `lineal gc`, or make room." if is_tight else None,
    )
    if store.exists() and not os.access(store, os.W_OK):
        yield Check("access", Finding.WARNING, f"{store} can't be written to", "Nothing can be run or saved here.")
    if os.environ.get(ENVIRONMENT_VARIABLE) and not store.exists():
        yield Check("access", Finding.WARNING, f"{ENVIRONMENT_VARIABLE} names {store}, which is not there", None)


def _kind_of(place: Path) -> str:
    """The kind of file system that a place is on, where the system tells as Linux does."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    resolved = place.resolve()
    best, kind = -1, ""
    for _, point, fs_kind, *_ in (line.split(" ") for line in mounts):
        mount = Path(point.encode("utf-8", "surrogateescape").decode("unicode_escape", "replace"))
        if (mount == resolved or mount in resolved.parents) and len(mount.parts) >= best:
            best, kind = len(mount.parts), fs_kind
    return kind


def _store(client: Client) -> Iterator[Check]:
    yield Check("store", Finding.OK, f"{client.path}, {client.head.seq:,} events")
    for old in client.old_logs():
        yield Check(
            "old log",
            Finding.WARNING,
            f"the log of format {old.version} is kept, {old.size_bytes:,} bytes: gc frees nothing",
            "Run `lineal migrate --drop-old` once you trust the new one.",
        )


def _map(client: Client) -> Iterator[Check]:
    format_ = client._opened.store.format
    used = (client.path / LOG / DATA_FILE).stat().st_size / format_.map_size_bytes
    is_tight = used > _MAP_USED_MAX
    yield Check(
        "database",
        Finding.WARNING if is_tight else Finding.OK,
        f"{used:.1%} of the {format_.map_size_bytes:,} bytes that its map allows",
        "Begin a new store soon." if is_tight else None,
    )


def _clock(client: Client) -> Iterator[Check]:
    last = client._opened.store.log.get(client.head.seq)
    ahead_s = last.time_us / 1e6 - time.time()
    if ahead_s > _CLOCK_SLACK_S:
        yield Check(
            "clock", Finding.WARNING, f"the last event is {ahead_s:,.0f} s in the future", "Set this machine's clock."
        )
    else:
        yield Check("clock", Finding.OK, "not behind the log")


def _formats(client: Client) -> Iterator[Check]:
    missing: dict[str, str | None] = {}
    formats = {version.output.format for version in every_version(client._reader)}
    for one in sorted(formats):
        try:
            REGISTRY.for_format(one)
        except MaterializerMissing as error:
            missing[one] = error.hint
    for format_, hint in missing.items():
        yield Check("formats", Finding.WARNING, f"values of format {format_} can't be loaded here", hint)
    if not missing:
        yield Check("formats", Finding.OK, f"all {len(formats)} formats in use can be loaded")


def _content(client: Client) -> Iterator[Check]:
    found = client.verify(quick=True)
    for damage in found.damages:
        yield Check("content", Finding.DAMAGE, f"{damage.kind}: {damage.what}", "Run `lineal repair --dry-run`.")
    if found.is_sound:
        yield Check("content", Finding.OK, f"{found.blobs:,} blobs of the right size; `lineal verify` reads them all")
    if found.orphans:
        size_bytes = sum(orphan.size_bytes for orphan in found.orphans)
        what = f"{len(found.orphans):,} files that nothing names, {size_bytes:,} bytes"
        yield Check("leftovers", Finding.WARNING, what, "Run `lineal gc`.")


_CHECKS: dict[str, Callable[[Client], Iterator[Check]]] = {
    "store": _store,
    "database": _map,
    "clock": _clock,
    "formats": _formats,
    "content": _content,
}
