"""Which source text made a piece of live code.

What counts is the code that is live in this process, not the file of today: a file may have been edited after it was
imported. A text is believed without proof only if nobody can have changed it since the process began; otherwise it is
compiled and must give the very bytecode that is live. Older versions of a file that this process has read are kept as
candidates. What no text explains is left to its bytecode.
"""

from __future__ import annotations

import importlib.util
import linecache
import os
import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from ...cas.digest import Digest, digest_of
from .definitions import Definition, SourceText

_CLOCK_GRANULARITY_NS = 2_000_000_000
_MAX_VERSIONS = 4

Signature = tuple[int, int, int, int]
"""Size, mtime, inode and ctime of a file; times in ns."""


@dataclass(slots=True)
class _File:
    signature: Signature
    read_at_ns: int
    versions: list[SourceText] = field(default_factory=list)
    """Newest first."""


class SourceFiles:
    """The source texts of one process.

    Warm cost: a stat per file, and a read where the file changed within the clock's granularity of the last look
    (git's "racily clean" entries, Documentation/technical/racy-git.txt).
    """

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._without_file: dict[tuple[str, str], SourceText] = {}
        self._found: dict[int, tuple[weakref.ref[CodeType], Definition]] = {}

    def definition_of(self, code: CodeType, namespace: dict[str, Any]) -> Definition | None:
        """The definition that made this code, None if no text is known that did."""
        known = self._found.get(id(code))
        if known is not None and known[0]() is code:
            return known[1]
        for text in self.texts(code.co_filename, namespace):
            definition = text.of_code(code)
            if definition is not None:
                self._remember(code, definition)
                return definition
        return None

    def _remember(self, code: CodeType, definition: Definition) -> None:
        key = id(code)

        def forget(_: object) -> None:
            self._found.pop(key, None)

        self._found[key] = (weakref.ref(code, forget), definition)

    def first(
        self, filename: str, namespace: dict[str, Any], find: Callable[[SourceText], Definition | None]
    ) -> Definition | None:
        """What the newest text of this file that has an answer says."""
        return next((found for text in self.texts(filename, namespace) if (found := find(text)) is not None), None)

    def texts(self, filename: str, namespace: dict[str, Any]) -> list[SourceText]:
        """Candidates, newest first: the file as it is, as it was, and what the interpreter remembers of it.

        Args:
            filename: As compiled code names it; need not exist.
            namespace: The module's globals, whose loader may know the source.
        """
        entry = self._refreshed(filename)
        if entry is None:
            remembered = linecache.getlines(filename, namespace) if filename else []
            return [self._remembered(filename, remembered)] if remembered else []
        if entry.versions[0].is_settled:
            return entry.versions
        cached = linecache.cache.get(filename)
        if cached is None or len(cached) == 1:
            return entry.versions
        return [*entry.versions, self._remembered(filename, cached[2])]

    def _remembered(self, filename: str, lines: list[str]) -> SourceText:
        joined = "".join(lines)
        text = self._without_file.get((filename, joined))
        if text is None:
            source = joined.encode("utf-8", "surrogatepass")
            text = self._without_file[filename, joined] = SourceText(source, filename, is_settled=False)
        return text

    def _refreshed(self, filename: str) -> _File | None:
        try:
            signature = _signature(os.stat(filename))
        except (OSError, ValueError):
            return self._files.get(filename)
        entry = self._files.get(filename)
        if entry is not None and entry.signature == signature and not _is_racy(entry):
            return entry
        return self._read(filename, entry)

    def _read(self, filename: str, entry: _File | None) -> _File | None:
        now_ns = time.time_ns()
        try:
            with open(filename, "rb") as file:
                signature = _signature(os.fstat(file.fileno()))
                source = file.read()
        except OSError:
            return entry
        if entry is None:
            entry = _File(signature, now_ns)
        digest = digest_of(source)
        if not entry.versions or entry.versions[0].digest != digest:
            changed_ns = max(signature[1], signature[3])
            is_old = changed_ns + _CLOCK_GRANULARITY_NS < PROCESS_STARTED_NS
            is_settled = is_old and _is_newer_than(changed_ns, filename)
            older = [text for text in entry.versions if text.digest != digest]
            for text in older:
                text.is_settled = False
            entry.versions = [SourceText(source, filename, is_settled=is_settled), *older][:_MAX_VERSIONS]
        # At last: other threads must not find a file without its text, nor a new look with an old text.
        entry.signature, entry.read_at_ns = signature, now_ns
        self._files[filename] = entry
        return entry


def file_digest(path: str) -> Digest | None:
    """The digest of a whole file, None if it can't be read."""
    try:
        with open(path, "rb") as file:
            return digest_of(file.read())
    except OSError:
        return None


def _signature(status: os.stat_result) -> Signature:
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns


def _is_racy(entry: _File) -> bool:
    return max(entry.signature[1], entry.signature[3]) + _CLOCK_GRANULARITY_NS >= entry.read_at_ns


def _is_newer_than(changed_ns: int, filename: str) -> bool:
    """Whether bytecode that is kept for this source, if any, was made after the source was changed.

    Python compares no more than the second of the change and the size ("Cached bytecode invalidation", in the
    reference of the import system), and may execute what another text of the same second meant.
    """
    try:
        return os.stat(importlib.util.cache_from_source(filename)).st_mtime_ns > changed_ns
    except (OSError, NotImplementedError):
        return True


def _process_started_ns() -> int:
    """When this process began, by the wall clock; 0 where the system does not say, so that nothing is settled."""
    if not sys.platform.startswith("linux"):
        return 0
    try:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        since_boot_ns = int(fields[19]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        return time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME) + since_boot_ns
    except (OSError, ValueError, IndexError):
        return 0


PROCESS_STARTED_NS = _process_started_ns()
SOURCES = SourceFiles()
"""The process's own: what was once proved of a code object stays true for as long as it lives."""
