"""The checkout that a pipeline's code comes from: commit, branch, and what differs from the commit."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgpack

from . import git
from .git_index import Entry, UnreadableIndex, read_index
from .redaction import redacted

DIFF_MAX_CHARACTERS = 256 * 1024
NAMES_MAX = 200
_FILE_MAX_BYTES = 512 * 1024
_LINES_MAX = 20_000
"""Larger files are named in the diff, no more."""
_DIFF_MAX_S = 1.0
_PAUSE_MIN_S, _PAUSE_MAX_S = 1.0, 10.0
_PAUSE_FACTOR = 100
"""After a look the next one comes so many times as long later as that took, within these bounds."""

_REMOTE = re.compile(r'^\[remote "origin"\][^\[]*?^\s*url\s*=\s*(.+?)\s*$', re.MULTILINE | re.DOTALL)
_Signature = tuple[tuple[int, int, int] | None, ...]
_Tracked = dict[bytes, tuple[int, int] | None]
"""When the inode of each tracked file last changed, and its size; None of one that is gone."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen of a checkout, or that there was none."""

    next_s: float
    """When it is to be looked at again, on the monotonic clock."""
    packed: bytes | None = None
    top: Path | None = None
    signature: _Signature = ()
    tracked: _Tracked = field(default_factory=dict)


_looks: dict[str, _Look] = {}
_looking = threading.Lock()


def _start_over_in_child() -> None:
    """A thread that does not exist here may have been looking."""
    global _looking
    _looking = threading.Lock()


os.register_at_fork(after_in_child=_start_over_in_child)


def captured_checkout(function: Callable[..., Any] | None) -> bytes | None:
    """A description in msgpack of the git checkout that a function's file is in; None if it is in none.

    Of a function without a file, as in a notebook, it is that of the working directory. Nothing that the repository
    configures is run. Cost: nothing for a while after each look; then a stat of each tracked file; and some ten
    milliseconds at first, and where something has changed since.
    """
    file = "" if function is None else function.__code__.co_filename
    place = file if os.path.isabs(file) else os.getcwd()
    with _looking:
        last = _looks.get(place)
        begun_s = time.monotonic()
        if last is not None and begun_s < last.next_s:
            return last.packed
        look = _look_at(Path(place), last)
        ended_s = time.monotonic()
        pause_s = min(max(_PAUSE_MIN_S, _PAUSE_FACTOR * (ended_s - begun_s)), _PAUSE_MAX_S)
        _looks[place] = replace(look, next_s=ended_s + pause_s)
        return look.packed


def _look_at(place: Path, last: _Look | None) -> _Look:
    start = place.parent if place.is_file() else place if place.is_dir() else Path.cwd()
    top = next((above for above in (start, *start.parents) if (above / ".git").exists()), None)
    if top is None:
        return _Look(0)
    repository = _Repository(top)
    signature = repository.signature()
    if last is not None and (top, signature) == (last.top, last.signature) and _seen(top, last.tracked) == last.tracked:
        return last
    packed, tracked = repository.described()
    return _Look(0, packed, top, signature, tracked)


def _seen(top: Path, paths: Iterable[bytes]) -> _Tracked:
    before = os.fsencode(top) + b"/"
    return {path: _look_of(before + path) for path in paths}


def _look_of(path: bytes) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_ctime_ns, found.st_size


class _Repository:
    """A repository, as its files say."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._folder = _pointed_to(top / ".git", "gitdir:", top)
        self._shared = _pointed_to(self._folder / "commondir", "", self._folder)
        head = _text(self._folder / "HEAD").strip()
        self._ref = head.removeprefix("ref: ") if head.startswith("ref: ") else None
        self._head = head

    def signature(self) -> _Signature:
        """What changes when something is committed, added or checked out."""
        names = [self._folder / "HEAD", self._folder / "index", self._shared / "packed-refs", self._shared / "config"]
        if self._ref is not None:
            names.append(self._shared / self._ref)
        return tuple(map(_identity, names))

    def described(self) -> tuple[bytes, _Tracked]:
        """The description, and the look of each tracked file."""
        changed, tracked = self._changed()
        others = git.untracked(self._top)
        remote = _REMOTE.search(_text(self._shared / "config"))
        described: dict[str, Any] = {
            "commit": self._commit(),
            "branch": None if self._ref is None else self._ref.removeprefix("refs/heads/"),
            "remote": None if remote is None else redacted(remote[1]),
            "is_dirty": None if changed is None else bool(changed),
            "changed": [os.fsdecode(path) for path in sorted(changed or {})[:NAMES_MAX]],
            "diff": redacted(self._diff(changed or {})),
            "untracked": None if others is None else [os.fsdecode(path) for path in sorted(others)[:NAMES_MAX]],
            "untracked_count": None if others is None else len(others),
        }
        return msgpack.packb(described, unicode_errors="surrogateescape"), tracked

    def _commit(self) -> str | None:
        found = self._head
        if self._ref is not None:
            found = _text(self._shared / self._ref).strip() or self._packed_ref()
        return found if re.fullmatch(r"[0-9a-f]{40,64}", found) else git.head_commit(self._top)

    def _packed_ref(self) -> str:
        for line in _text(self._shared / "packed-refs").splitlines():
            if line.endswith(f" {self._ref}"):
                return line.partition(" ")[0]
        return ""

    def _changed(self) -> tuple[dict[bytes, str | None] | None, _Tracked]:
        """The files that are not as in HEAD, with their blob's id there, None where it has none; None if unknown."""
        try:
            index = self._folder / "index"
            written_ns = os.stat(index).st_mtime_ns
            entries = read_index(index) if index.is_file() else []
        except (OSError, UnreadableIndex):
            return None, {}
        staged = git.changed_in_index(self._top)
        if staged is None:
            return None, _seen(self._top, [entry.path for entry in entries])
        changed: dict[bytes, str | None] = {path: None if set(id_) == {"0"} else id_ for path, id_ in staged.items()}
        tracked: _Tracked = dict.fromkeys(staged)
        for entry in entries:
            path = os.path.join(os.fsencode(self._top), entry.path)
            try:
                found = os.lstat(path)
            except OSError:
                tracked[entry.path] = None
                changed.setdefault(entry.path, entry.blob)
                continue
            tracked[entry.path] = found.st_ctime_ns, found.st_size
            may_differ = entry.looks_changed(found) or found.st_mtime_ns >= written_ns
            if entry.path not in changed and may_differ and _differs(path, entry, found):
                changed[entry.path] = entry.blob
        return changed, tracked

    def _diff(self, changed: dict[bytes, str | None]) -> str:
        """What changed, as a unified diff, as far as it is not too long; as bytes are, without filters."""
        until_s = time.monotonic() + _DIFF_MAX_S
        paths = sorted(changed)
        before = git.blobs(self._top, [id_ for id_ in dict.fromkeys(changed.values()) if id_ is not None])
        pieces: list[str] = []
        left = DIFF_MAX_CHARACTERS
        for place, path in enumerate(paths):
            id_ = changed[path]
            old = b"" if id_ is None else before.get(id_)
            new = _content(os.path.join(os.fsencode(self._top), path))
            piece = "".join(_file_diff(os.fsdecode(path), old, new))
            if len(piece) > left or time.monotonic() > until_s:
                pieces.append(f"[{len(paths) - place} more changed files are left out]\n")
                break
            left -= len(piece)
            pieces.append(piece)
        return "".join(pieces)


def _pointed_to(path: Path, label: str, base: Path) -> Path:
    """The folder that a file names, relative to another; the path itself where it is a folder; else the other one."""
    if path.is_dir():
        return path
    text = _text(path).strip()
    return base / text.removeprefix(label).strip() if text.startswith(label) and text else base


def _text(path: Path) -> str:
    try:
        if not path.is_file():  # Reading from a pipe would wait for ever.
            return ""
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _differs(path: bytes, entry: Entry, found: os.stat_result) -> bool:
    """Whether a file's bytes are not those of its blob; where they are too many to be read, whether it looks so."""
    if entry.has_other_kind(found):
        return True
    if found.st_size > 16 * _FILE_MAX_BYTES:
        return entry.looks_changed(found)
    content = _content(path, 16 * _FILE_MAX_BYTES)
    if content is None:
        return True
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() != entry.blob


def _content(path: bytes, limit_bytes: int = _FILE_MAX_BYTES) -> bytes | None:
    """What a file holds, or where a link points; nothing if it is gone; None if it can't be read or is too large."""
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            return os.readlink(path)
        if not stat.S_ISREG(found.st_mode) or found.st_size > limit_bytes:
            return None
        with open(path, "rb") as file:
            return file.read(limit_bytes)
    except FileNotFoundError:
        return b""
    except OSError:
        return None


def _file_diff(name: str, old: bytes | None, new: bytes | None) -> Iterator[str]:
    """The diff of one file. Files that are not text, or are too large, are only named."""
    if not _is_short_text(old) or not _is_short_text(new):
        yield f"--- a/{name}\n+++ b/{name}\n[it is not text, or too large]\n"
        return
    for line in difflib.unified_diff(_lines(old), _lines(new), f"a/{name}", f"b/{name}"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _is_short_text(content: bytes | None) -> bool:
    return content is not None and b"\0" not in content and content.count(b"\n") <= _LINES_MAX


def _lines(content: bytes | None) -> list[str]:
    return (content or b"").decode("utf-8", "surrogateescape").splitlines(keepends=True)
