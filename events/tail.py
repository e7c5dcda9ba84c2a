"""Rows of a projection that is kept behind, read where nothing may be written: what is missing comes from memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import chain, islice

from .log import Database
from .rows import STAMP_BYTES, RowReader, Stamped, stamped


class Tail:
    """Rows in memory, by their key, that follow those stored."""

    def __init__(self, start: int) -> None:
        self.start = start
        """The last event that is in the stored rows, as they were then; others may catch them up."""
        self.upto = start
        """The last event folded in."""
        self._rows: dict[bytes, list[Stamped]] = {}

    def add(self, rows: Mapping[bytes, bytes], upto: int) -> None:
        """Take in the rows, by place, of the events that follow, up to one."""
        for place in sorted(rows, key=_stamp_of):
            self._rows.setdefault(place[:-STAMP_BYTES], []).append(stamped(place, rows[place]))
        self.upto = upto

    def history(self, row_key: bytes, upto: int | None) -> list[Stamped]:
        """A key's rows as of a position, oldest first."""
        rows = self._rows.get(row_key, [])
        return rows if upto is None else rows[: bisect_right(rows, upto, key=_seq_of)]

    def keys(self, prefix: bytes, upto: int | None) -> list[bytes]:
        """The keys that begin so and have a row as of a position. Cost: a look at every key."""
        return [row_key for row_key in list(self._rows) if row_key.startswith(prefix) and self.history(row_key, upto)]


def _stamp_of(place: bytes) -> bytes:
    return place[-STAMP_BYTES:]


def _seq_of(row: Stamped) -> int:
    return row.seq


class TailedReader(RowReader):
    """A `RowReader` that goes on with rows in memory, all of them newer than those stored."""

    __slots__ = ("_tail", "_upto")

    def __init__(self, environment: Database, name: str, upto: int | None, tail: Tail) -> None:
        """Read rows as of a position, those of the tail included."""
        super().__init__(environment, name, tail.start if upto is None else min(upto, tail.start))
        self._tail = tail
        self._upto = upto

    def latest(self, row_key: bytes) -> Stamped | None:
        """The key's newest row as of the position."""
        newer = self._tail.history(row_key, self._upto)
        return newer[-1] if newer else super().latest(row_key)

    def latest_upto(self, row_key: bytes, seq: int) -> Stamped | None:
        """The key's newest row of those made by events up to this one, where that is before the position."""
        newer = self._tail.history(row_key, seq if self._upto is None else min(seq, self._upto))
        return newer[-1] if newer else super().latest_upto(row_key, seq)

    def latest_of(self, row_keys: Sequence[bytes]) -> list[Stamped | None]:
        """As `latest`, of many keys."""
        return [self.latest(row_key) for row_key in row_keys]

    def latest_seq(self, row_key: bytes) -> int | None:
        """The position of the event that made that row."""
        newest = self.latest(row_key)
        return None if newest is None else newest.seq

    def latest_seqs_of(self, row_keys: Sequence[bytes]) -> list[int | None]:
        """As `latest_seq`, of many keys."""
        return [self.latest_seq(row_key) for row_key in row_keys]

    def under(
        self, prefixes: Sequence[bytes], count: int, without: Container[int] = frozenset()
    ) -> list[list[Stamped]]:
        """The rows of the keys that begin with each of these, at most so many each."""
        every = (chain.from_iterable(map(self.history, self.keys(prefix))) for prefix in prefixes)
        return [list(islice((row for row in rows if row.seq not in without), count)) for rows in every]

    def history(self, row_key: bytes, *, newest_first: bool = False) -> Iterator[Stamped]:
        """All of the key's rows as of the position, lazily."""
        stored, newer = super().history(row_key, newest_first=newest_first), self._tail.history(row_key, self._upto)
        return chain(reversed(newer), stored) if newest_first else chain(stored, newer)

    def keys(self, prefix: bytes, limit: int | None = None) -> list[bytes]:
        """The distinct keys, in order, that begin with these bytes and have a row as of the position; or so many."""
        return sorted({*super().keys(prefix, limit), *self._tail.keys(prefix, self._upto)})[:limit]

    def has_any(self, prefix: bytes) -> bool:
        """Whether a key that begins with these bytes has a row, be it after the position."""
        return super().has_any(prefix) or bool(self._tail.keys(prefix, None))
