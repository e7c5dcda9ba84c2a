"""Rows of projections: a key's history, never overwritten.

A row's database key is ``key ‖ seq (8 bytes) ‖ ordinal (4 bytes)``: the event that made it, and its place among
that event's rows. So a key read as of N is the newest row with seq ≤ N, and a key's rows in order are a list
that only grows.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgpack

from ..cas.digest import digest_of
from ..errors import LogCorrupt
from .standing import database_of

if TYPE_CHECKING:
    import lmdb

    from .log import Database, Gathered

STAMP_BYTES = 12
_LAST_STAMP = b"\xff" * STAMP_BYTES
_TEXT_MAX_BYTES = 200
_LENGTHS = [bytes([length]) for length in range(_TEXT_MAX_BYTES + 1)]
_FIRST_ROWS, _SCAN_ROWS = 16, 1000
"""How many rows a list is read by, at first and at most: many a caller takes only a few."""
_TRUE: bytes = msgpack.packb(True)
_ORDINALS = [ordinal.to_bytes(4, "big") for ordinal in range(256)]

Row = Any
"""A row's columns, a list of what msgpack knows."""


class Stamped(NamedTuple):
    """A row with the sequence number of the event that made it."""

    seq: int
    row: Row


def key(table: str, *parts: str | bytes | int) -> bytes:
    """A key: the table's letter and its parts, framed so that no key is the beginning of another one.

    Texts over 200 bytes go in as their digest, since LMDB's keys end at 511 bytes; ints are 4 bytes big-endian;
    bytes must be of the same length in all keys of a table.
    """
    place = _letter(table)
    for part in parts:
        if isinstance(part, bytes):
            place += part
        elif isinstance(part, str):
            place += framed(part)
        else:
            place += part.to_bytes(4, "big")
    return place


@lru_cache
def _letter(table: str) -> bytes:
    return table.encode("ascii")


@lru_cache(4096)
def framed(text: str) -> bytes:
    """A text as a part of a key."""
    raw = text.encode() if text.isascii() else text.encode("utf-8", "surrogatepass")  # The one is twice as fast.
    return _LENGTHS[len(raw)] + raw if len(raw) <= _TEXT_MAX_BYTES else b"\xff" + digest_of(raw)


class RowWriter:
    """Writes the rows of one projection, event by event, inside one write transaction."""

    __slots__ = ("_changes", "_cursor", "_database", "_made", "_newest", "_pack", "_place", "_puts")

    def __init__(self, changes: Gathered, database: str) -> None:
        """Write to the database of this projection."""
        self._database = database
        self._newest: dict[bytes, bytes | None] = {}
        """The newest rows of keys, as they are stored; None where it is only known that there is one."""
        self._place = bytes(8)
        self._made = 0
        self._pack = msgpack.Packer().pack  # A text is taken as it lies in memory, where that is UTF-8.
        self.go_on(changes)

    def go_on(self, changes: Gathered) -> None:
        """Write in this transaction, before which nobody but this writer has changed the rows."""
        self._changes = changes
        self._puts = changes.gathered(self._database)
        self._cursor: lmdb.Cursor | None = None

    @property
    def known(self) -> int:
        """How many keys' newest rows are held in memory."""
        return len(self._newest)

    def at(self, place: bytes) -> RowWriter:
        """Turn to the event of this position, in 8 bytes; the rows that follow are its."""
        self._place = place
        self._made = 0
        return self

    def add(self, row_key: bytes, row: Row) -> None:
        """Add a row to the key's history."""
        try:
            value = self._pack(row)
        except UnicodeEncodeError:
            value = self._packed_anew(row)
        self._puts[row_key + self._stamp()] = self._newest[row_key] = value

    def mark(self, row_key: bytes, row: Row = True) -> None:
        """Add a row that `latest` doesn't see at once; by default one that only says that an event has made it."""
        made = self._made
        self._made = made + 1
        stamp = self._place + (_ORDINALS[made] if made < 256 else made.to_bytes(4, "big"))  # `_stamp`, not called.
        try:
            self._puts[row_key + stamp] = _TRUE if row is True else self._pack(row)
        except UnicodeEncodeError:
            self._puts[row_key + stamp] = self._packed_anew(row)

    def mark_each(self, row_keys: Iterable[bytes]) -> None:
        """As `mark` without a row, of many keys."""
        puts, place, made = self._puts, self._place, self._made
        for row_key in row_keys:
            puts[row_key + place + (_ORDINALS[made] if made < 256 else made.to_bytes(4, "big"))] = _TRUE
            made += 1
        self._made = made

    def _packed_anew(self, row: Row) -> bytes:
        """Pack a row with a lone surrogate, some of which may still be in the packer that could not."""
        self._pack = msgpack.Packer().pack
        packed: bytes = msgpack.packb(row, unicode_errors="surrogatepass")
        return packed

    def _stamp(self) -> bytes:
        made = self._made
        self._made = made + 1
        return self._place + (_ORDINALS[made] if made < len(_ORDINALS) else made.to_bytes(4, "big"))

    def latest(self, row_key: bytes) -> Row | None:
        """The key's newest row, this event's own included; None if it has none."""
        value = self._newest.get(row_key)
        if value is None:
            value = newest_value_at(self._reading(), row_key)
            if value is None:
                return None
            self._newest[row_key] = value
        return _unpacked(value)

    def has(self, row_key: bytes) -> bool:
        """Whether the key has a row that `add` made; cheaper than `latest`."""
        if row_key in self._newest:
            return True
        cursor = self._reading()
        found = bool(cursor.set_range(row_key)) and cursor.key()[:-STAMP_BYTES] == row_key
        if found:
            self._newest[row_key] = None
        return found

    def _reading(self) -> lmdb.Cursor:
        if self._cursor is None:
            self._cursor = self._changes.cursor(self._database)
        return self._cursor


class RowReader:
    """Reads one projection's rows as of a position; each call is a short transaction of its own."""

    __slots__ = ("_env", "_found", "_last", "_name")

    def __init__(self, environment: Database, name: str, upto: int | None) -> None:
        """Read rows made by events up to and with this one, or all."""
        self._env = environment
        self._name = name
        self._last = _LAST_STAMP if upto is None else last_stamp(upto)
        self._found: tuple[int, Any, Any] = 0, None, None

    def _cursor(self, txn: lmdb.Transaction) -> lmdb.Cursor:
        number, known, database = self._found
        databases = self._env.databases
        # Which one is in force changes by a commit only, each of which has a number; a forked child opens them anew.
        if number != txn.id() or known is not databases:
            database = databases[database_of(txn, databases, self._name)]
            self._found = txn.id(), databases, database
        return txn.cursor(database)

    def latest(self, row_key: bytes) -> Stamped | None:
        """The key's newest row as of the position."""
        with self._env.begin() as txn, self._cursor(txn) as cursor:
            return newest_at(cursor, row_key, self._last)

    def latest_upto(self, row_key: bytes, seq: int) -> Stamped | None:
        """The key's newest row of those made by events up to this one, where that is before the position."""
        with self._env.begin() as txn, self._cursor(txn) as cursor:
            return newest_at(cursor, row_key, min(self._last, last_stamp(seq)))

    def latest_of(self, row_keys: Sequence[bytes]) -> list[Stamped | None]:
        """As `latest`, of many keys in one transaction, so a page of them."""
        with self._env.begin() as txn, self._cursor(txn) as cursor:
            return [newest_at(cursor, row_key, self._last) for row_key in row_keys]

    def under(
        self, prefixes: Sequence[bytes], count: int, without: Container[int] = frozenset()
    ) -> list[list[Stamped]]:
        """The rows of the keys that begin with each of these, at most so many each; in one transaction, so a page.

        Rows that the events ``without`` have made are passed over, for a third of the cost.
        """
        with self._env.begin() as txn, self._cursor(txn) as cursor:
            last_seq = int.from_bytes(self._last[:8], "big")
            return [_under(cursor, prefix, last_seq, count, without) for prefix in prefixes]

    def latest_seq(self, row_key: bytes) -> int | None:
        """The position of the event that made that row; cheaper than `latest`."""
        with self._env.begin() as txn, self._cursor(txn) as cursor:
            return _newest_seq_at(cursor, row_key, self._last)

    def latest_seqs_of(self, row_keys: Sequence[bytes]) -> list[int | None]:
        """As `latest_seq`, of many keys in one transaction, so a page of them."""
        with self._env.begin() as txn, self._cursor(txn) as cursor:
            return [_newest_seq_at(cursor, row_key, self._last) for row_key in row_keys]

    def newest(self, prefix: bytes) -> list[Stamped]:
        """The newest row of each key that `keys` gives, in the keys' order."""
        found = (self.latest(row_key) for row_key in self.keys(prefix))
        return [row for row in found if row is not None]

    def history(self, row_key: bytes, *, newest_first: bool = False) -> Iterator[Stamped]:
        """All of the key's rows as of the position, lazily."""
        start = self._last if newest_first else bytes(STAMP_BYTES)
        page_rows = _FIRST_ROWS
        while True:
            page = self._page(row_key, start, newest_first, page_rows)
            for _, row in page:
                yield row
            if len(page) < page_rows:
                return
            start = _step(page[-1][0], -1 if newest_first else 1)
            page_rows = min(4 * page_rows, _SCAN_ROWS)

    def _page(self, row_key: bytes, start: bytes, newest_first: bool, page_rows: int) -> list[tuple[bytes, Stamped]]:
        page: list[tuple[bytes, Stamped]] = []
        with self._env.begin() as txn, self._cursor(txn) as cursor:
            if newest_first:
                rows = cursor.iterprev() if _seek_back(cursor, row_key + start) else ()
            else:
                rows = cursor.iternext() if cursor.set_range(row_key + start) else ()
            for place, value in _items(islice(rows, page_rows)):
                stamp = place[-STAMP_BYTES:]
                if place[:-STAMP_BYTES] != row_key or stamp > self._last:
                    break
                page.append((stamp, stamped(place, value)))
        return page

    def keys(self, prefix: bytes, limit: int | None = None) -> list[bytes]:
        """The distinct keys, in order, that begin with these bytes and have a row as of the position; or so many."""
        keys: list[bytes] = []
        with self._env.begin() as txn, self._cursor(txn) as cursor:
            found = cursor.set_range(prefix)
            while found and (limit is None or len(keys) < limit):
                place = bytes(cursor.key())
                if not place.startswith(prefix):
                    break
                row_key = place[:-STAMP_BYTES]
                if place[-STAMP_BYTES:] <= self._last:
                    keys.append(row_key)
                found = cursor.set_range(row_key + _LAST_STAMP)
        return keys

    def has_any(self, prefix: bytes) -> bool:
        """Whether a key that begins with these bytes has a row, be it after the position: one look tells that."""
        with self._env.begin() as txn, self._cursor(txn) as cursor:
            return bool(cursor.set_range(prefix)) and cursor.key()[: len(prefix)] == prefix


def _under(cursor: lmdb.Cursor, prefix: bytes, last_seq: int, count: int, without: Container[int]) -> list[Stamped]:
    rows: list[Stamped] = []
    has_more = cursor.set_range(prefix)
    # Step by step: an iterator costs more than the few rows that most prefixes have.
    while has_more and len(rows) < count:
        place = bytes(cursor.key())
        if not place.startswith(prefix):
            break
        seq = int.from_bytes(place[-STAMP_BYTES : -STAMP_BYTES + 8], "big")
        if seq > last_seq:
            has_more = cursor.set_range(place[:-STAMP_BYTES] + _LAST_STAMP)
            continue
        if seq not in without:
            rows.append(tuple.__new__(Stamped, (seq, _unpacked(bytes(cursor.value())))))
        has_more = cursor.next()
    return rows


def _items(rows: Iterable[Any]) -> Iterator[tuple[bytes, bytes]]:
    """Places and values, copied out: transactions here give no buffers."""
    return cast("Iterator[tuple[bytes, bytes]]", rows)


def last_stamp(upto: int) -> bytes:
    """What no row's stamp is after that an event up to this one has made."""
    return upto.to_bytes(8, "big") + _LAST_STAMP[8:]


def newest_at(cursor: lmdb.Cursor, row_key: bytes, last_stamp: bytes = _LAST_STAMP) -> Stamped | None:
    """The newest row of a key, stamped no later than this."""
    value = newest_value_at(cursor, row_key, last_stamp)
    return None if value is None else stamped(bytes(cursor.key()), value)


def newest_value_at(cursor: lmdb.Cursor, row_key: bytes, last_stamp: bytes = _LAST_STAMP) -> bytes | None:
    """The same as it is stored; the cursor is then at it."""
    if _seek_back(cursor, row_key + last_stamp) and cursor.key()[:-STAMP_BYTES] == row_key:
        return bytes(cursor.value())
    return None


def _newest_seq_at(cursor: lmdb.Cursor, row_key: bytes, last_stamp: bytes) -> int | None:
    if not _seek_back(cursor, row_key + last_stamp):
        return None
    found = cursor.key()
    if found[:-STAMP_BYTES] != row_key:
        return None
    return int.from_bytes(found[-STAMP_BYTES : -STAMP_BYTES + 8], "big")


def _seek_back(cursor: lmdb.Cursor, place: bytes) -> bool:
    """Go to the last row at or before a place."""
    if not cursor.set_range(place):
        return bool(cursor.last())
    return cursor.key() == place or bool(cursor.prev())


def stamped(place: bytes, value: bytes) -> Stamped:
    """A row as it is stored. Raises `LogCorrupt`."""
    seq = int.from_bytes(place[-STAMP_BYTES : -STAMP_BYTES + 8], "big")
    return tuple.__new__(Stamped, (seq, _unpacked(value)))


def _unpacked(value: bytes) -> Row:
    try:
        return msgpack.unpackb(value, strict_map_key=False, unicode_errors="surrogatepass")
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise LogCorrupt(f"a row of an index can't be read: {error}", hint="Run `lineal rebuild`.") from error


def _step(stamp: bytes, by: int) -> bytes:
    return max(0, int.from_bytes(stamp, "big") + by).to_bytes(STAMP_BYTES, "big")
