"""Rows of a projection that is kept behind, read where nothing may be written: what is missing comes from memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from .log import Database
from .rows import STAMP_BYTES, RowReader, Stamped, stamped


class TailedReader(RowReader):
    """A `RowReader` that goes on with rows in memory, all of them newer than those stored."""

    __slots__ = ("_tail",)

    def __init__(self, environment: Database, name: str, upto: int | None, tail: Mapping[bytes, bytes]) -> None:
        """Read rows as of a position, those of the tail, by place, included."""
        super().__init__(environment, name, upto)
        self._tail: dict[bytes, list[Stamped]] = {}
        for place, value in sorted(tail.items()):
            if place[-STAMP_BYTES:] <= self._last:
                self._tail.setdefault(place[:-STAMP_BYTES], []).append(stamped(place, value))

    def latest(self, row_key: bytes) -> Stamped | None:
        """The key's newest row as of the position."""
        newer = self._tail.get(row_key)
        return newer[-1] if newer else super().latest(row_key)

    def history(self, row_key: bytes, *, newest_first: bool = False) -> Iterator[Stamped]:
        """All of the key's rows as of the position, lazily."""
        stored, newer = super().history(row_key, newest_first=newest_first), self._tail.get(row_key, [])
        return chain(reversed(newer), stored) if newest_first else chain(stored, newer)

    def keys(self, prefix: bytes, limit: int | None = None) -> list[bytes]:
        """The distinct keys, in order, that begin with these bytes and have a row as of the position; or so many."""
        newer = [row_key for row_key in self._tail if row_key.startswith(prefix)]
        return sorted({*super().keys(prefix, limit), *newer})[:limit]
