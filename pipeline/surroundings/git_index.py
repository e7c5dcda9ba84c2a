"""Git's index, read without git: what was checked out of which blob, and what its file looked like then.

The format is described in git's own documentation, gitformat-index(5).
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_ENTRY = struct.Struct(">10I20sH")
_HAS_MORE_FLAGS = 0x4000
_ASSUMED_UNCHANGED = 0x8000
_SKIPPED_IN_WORKTREE = 0x4000
_STAGE = 0x3000
_LENGTH = 0x0FFF


class UnreadableIndex(ValueError):
    """The index is none, or of a kind that is not read here: of SHA-256, or split or sparse."""


class Entry(NamedTuple):
    """A tracked file."""

    path: bytes
    """Below the top of the checkout."""
    blob: str
    """The id of its content in the index, in hex."""
    mode: int
    size_bytes: int
    """Modulo 2**32."""
    mtime_ns: int

    def looks_changed(self, found: os.stat_result) -> bool:
        """Whether a file can't be taken for what was checked out by the look of it alone."""
        return (
            found.st_size % (1 << 32) != self.size_bytes
            or found.st_mtime_ns != self.mtime_ns
            or self.has_other_kind(found)
        )

    def has_other_kind(self, found: os.stat_result) -> bool:
        """Whether it became a link, or executable, or the other way round."""
        if stat.S_IFMT(found.st_mode) != stat.S_IFMT(self.mode):
            return True
        return stat.S_ISREG(self.mode) and bool((self.mode ^ found.st_mode) & stat.S_IXUSR)


def read_index(path: Path) -> list[Entry]:
    """The entries of an index file, without submodules and without what is not checked out.

    Raises:
        OSError, UnreadableIndex: It can't be read.
    """
    try:
        return list(_entries(path.read_bytes()))
    except (struct.error, IndexError, ValueError) as error:
        raise UnreadableIndex(str(error)) from error


def _entries(data: bytes) -> Iterator[Entry]:
    magic, version, count = struct.unpack_from(">4s2I", data)
    if magic != b"DIRC" or version not in (2, 3, 4):
        raise UnreadableIndex("no index of a known version")
    place, path = 12, b""
    for _ in range(count):
        begun = place
        fields = _ENTRY.unpack_from(data, place)
        flags, place = fields[11], place + _ENTRY.size
        is_skipped = bool(flags & _ASSUMED_UNCHANGED)
        if flags & _HAS_MORE_FLAGS:
            is_skipped = is_skipped or bool(struct.unpack_from(">H", data, place)[0] & _SKIPPED_IN_WORKTREE)
            place += 2
        if version == 4:
            dropped, place = _varint(data, place)
            end = data.index(b"\0", place)
            path = path[: len(path) - dropped] + data[place:end]
            place = end + 1
        else:
            end = data.index(b"\0", place)
            path = data[place:end]
            if flags & _LENGTH not in (len(path), _LENGTH):
                raise UnreadableIndex("a name has another length than it should")
            place = begun + (end - begun) // 8 * 8 + 8
        mode = fields[6]
        if not is_skipped and not flags & _STAGE and stat.S_IFMT(mode) in (stat.S_IFREG, stat.S_IFLNK):
            yield Entry(path, fields[10].hex(), mode, fields[9], fields[2] * 1_000_000_000 + fields[3])
    _refuse_extensions(data, place)


def _refuse_extensions(data: bytes, place: int) -> None:
    """Refuse those without which the entries are not the whole truth: their names do not begin with a capital."""
    while place + 8 <= len(data) - 20:
        name, size_bytes = struct.unpack_from(">4sI", data, place)
        if not name[:1].isupper():
            raise UnreadableIndex(f"it needs the extension {name!r}")
        place += 8 + size_bytes


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """An offset as git encodes it in packs and in indexes of version 4."""
    byte = data[place]
    value = byte & 0x7F
    while byte & 0x80:
        place += 1
        byte = data[place]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, place + 1
