"""Pages: what a table is made from, read in short transactions, so that a slow reader pins nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import compress, islice
from typing import Any, NamedTuple

import msgpack
import numpy as np
from numpy.typing import NDArray

from ..errors import LogCorrupt
from ..events.codec import ENVELOPE_VERSION, decode
from ..events.log import CHAIN_BYTES, EVENTS, Database
from ..events.schema import SCHEMAS
from ..events.standing import database_of
from ..events.upcasts import UPCASTS
from .keys import Keys, Places
from .packed import Cells, Flags, Integers, Positions, Values

_PAGE_ROWS = 16_384
_PAGE_BYTES = 32 * 1024 * 1024
_LOOK_ROWS = 64
_SURROGATES = {"unicode_errors": "surrogatepass"}

_TYPE = 2
"""Which byte of an envelope the type begins at."""
_HEAD_BYTES = 8
_MANY = 0xA0
"""First byte of an envelope of more than fifteen values, where it is elsewhere."""

Read = Callable[[Cells], Any]
"""A method of `Cells` that gives a column."""


_TRAILING: dict[Read, Read] = {Cells.record: Cells.trailing_record, Cells.elements: Cells.trailing_elements}
"""What is cheaper where nothing behind it is read."""


class LogPage(NamedTuple):
    """Some events, their types told and the rest unread."""

    seqs: Positions
    types: list[str]
    """The types that are among them."""
    codes: NDArray[np.int64]
    """By event, which of the types it is of."""
    cells: Cells
    """From the events' ids on."""


class EventColumns(NamedTuple):
    """Some events of a few types."""

    seq: Positions
    types: list[str]
    codes: NDArray[np.int64]
    time_us: Integers
    fields: dict[str, Any]

    def are(self, type_: str) -> Flags:
        """Which of them are of a type."""
        flags: Flags = self.codes == (self.types.index(type_) if type_ in self.types else -1)
        return flags


def log_pages(
    database: Database, upto: int, *, among: Flags | None = None, types: Collection[str] | None = None
) -> Iterator[LogPage]:
    """The events up to one, in order, each read as one of today's.

    Args:
        database: The one of the log.
        upto: The last event.
        among: By position, whether an event is wanted.
        types: Those that are wanted; others may be given, too.
    """
    after = 0
    while after < upto:
        start = (after + 1).to_bytes(8, "big")
        wanted = np.ones(min(_PAGE_ROWS, upto - after), np.bool_) if among is None else among[after + 1 :][:_PAGE_ROWS]
        with database.begin(views=True) as txn, txn.cursor(database.databases[EVENTS]) as cursor:
            found = cursor.iternext(keys=False) if cursor.set_range(start) else iter(())
            values, count = _some(found, len(wanted), None if among is None else wanted.tolist())
            last = int.from_bytes(cursor.key() or (cursor.last() and cursor.key()) or b"", "big")
        if last != after + count:
            raise LogCorrupt(f"events are missing after event {after}", hint="Run `lineal verify`.", seq=after + 1)
        seqs, cells = after + 1 + np.flatnonzero(wanted[:count]), Cells.of(values, start=CHAIN_BYTES)
        after += count
        if types is not None:
            chosen = _may_be(types, cells).nonzero()[0]
            seqs, cells = seqs[chosen], cells.where(chosen)
        if seqs.size:
            yield _log_page(seqs, cells)


def events_at(database: Database, positions: Positions) -> tuple[LogPage, Positions]:
    """The events at some positions, each once and in order; and for each position which of them it is."""
    seqs, places = np.unique(positions, return_inverse=True)
    with database.begin() as txn:
        events = database.databases[EVENTS]
        values = [txn.get(seq.to_bytes(8, "big"), db=events) for seq in seqs.tolist()]
    if None in values:
        raise LogCorrupt("an index names an event that is gone", hint="Run `lineal verify`.")
    found = Values.of(bytes(value) for value in values if value is not None)
    return _log_page(seqs, Cells.of(found, start=CHAIN_BYTES)), places


def _log_page(seqs: Positions, envelopes: Cells) -> LogPage:
    page, is_old = _read(seqs, envelopes.where(slice(None)))
    if is_old.any():
        bodies = [bytes(body) for body in envelopes.whole().to_pylist()]
        for place in np.flatnonzero(is_old):
            bodies[place] = _of_today(int(seqs[place]), bodies[place])
        page, _ = _read(seqs, Cells.of(Values.of(bodies)))
    return page


def _may_be(types: Collection[str], envelopes: Cells) -> Flags:
    """Which events may be of one of these types, by as many first bytes of a type as one number holds."""
    packed = [msgpack.packb(one) for one in (*types, *UPCASTS)]
    assert min(map(len, packed)) >= _HEAD_BYTES, f"{types} are told by fewer bytes"
    heads = np.array([int.from_bytes(one[:_HEAD_BYTES], "big") for one in packed], np.uint64)
    flags: Flags = np.isin(envelopes.peek(_TYPE, ">u8"), heads) | (envelopes.peek(0, "u1") >= _MANY)
    return flags


def _read(seqs: Positions, envelopes: Cells) -> tuple[LogPage, Flags]:
    """A page, and which of its events are not laid out as today's."""
    cells = envelopes.entered()
    versions = cells.integers().values
    found = cells.bytes().dictionary_encode()
    codes = found.indices.to_numpy(zero_copy_only=False)
    types = [name.decode("utf-8", "replace") for name in found.dictionary.to_pylist()]
    is_old = (versions < ENVELOPE_VERSION) | np.isin(codes, [types.index(one) for one in UPCASTS if one in types])
    return LogPage(seqs, types, codes, cells), is_old


def _of_today(seq: int, body: bytes) -> bytes:
    """An event as it would be written today: read as today's event, laid out as today's."""
    recorded = decode(seq, b"", body)
    payload = recorded.event.payload if recorded.fields is None else recorded.fields  # type: ignore[attr-defined]
    envelope = (ENVELOPE_VERSION, recorded.type, recorded.raw_id, recorded.time_us, recorded.origin, recorded.stream)
    packed: bytes = msgpack.packb((*envelope, recorded.named, payload), **_SURROGATES)
    return packed


def columns_of(page: LogPage, types: Sequence[str], wanted: Mapping[str, Read]) -> EventColumns | None:
    """Columns of a page's events of some types, by their fields' names; None if there are none.

    The types must have the same fields, up to the last that is wanted.
    """
    chosen = np.flatnonzero(np.isin(page.codes, [page.types.index(one) for one in types if one in page.types]))
    if not chosen.size:
        return None
    cells = page.cells.where(chosen).skip()
    time_us, names = cells.integers(), _shared_names(types, wanted)
    fields = fields_of(cells.skip(3).entered(), names, wanted)
    return EventColumns(page.seqs[chosen], page.types, page.codes[chosen], time_us, fields)


def _shared_names(types: Sequence[str], wanted: Mapping[str, Read]) -> tuple[str, ...]:
    """The fields of types as far as they are wanted."""
    first, *others = [SCHEMAS[one].names for one in types]
    end = 1 + max(map(first.index, wanted))
    assert all(names[:end] == first[:end] for names in others), f"{types} don't have their fields in the same places"
    return first[:end]


def fields_of(record: Cells, names: tuple[str, ...], wanted: Mapping[str, Read]) -> dict[str, Any]:
    """Columns of records that have these fields, in this order."""
    found: dict[str, Any] = {}
    passed_over = 0
    last = max(wanted, key=names.index)
    for name in names:
        if name not in wanted:
            passed_over += 1
            continue
        if passed_over:
            record.skip(passed_over)
            passed_over = 0
        read = wanted[name]
        found[name] = (_TRAILING.get(read, read) if name == last else read)(record)
    return found


class RowPage(NamedTuple):
    """Some rows of a projection."""

    seqs: Positions
    """The events that made them."""
    keys: Keys
    cells: Cells


def row_pages(database: Database, projection: str, table: str, upto: int, *, newest: bool) -> Iterator[RowPage]:
    """The rows of a projection's table as of an event, in the order of their keys: all, or the newest of each key."""
    carried: tuple[bytes, bytes] | None = None
    for read, values, is_end in _paged(database, projection, table):
        if carried is not None:
            read.insert(0, carried[0])
            values = Values([carried[1], *values.pieces], np.insert(values.lengths, 0, len(carried[1])))
            carried = None
        places, cells = Places(read), Cells.of(values)
        chosen = np.flatnonzero(places.seqs <= upto)
        if newest:
            chosen = places.newest(chosen)
            if chosen.size and not is_end:  # The next page may have a newer row of the last key.
                (value,) = cells.where(chosen[-1:]).whole().to_pylist()
                carried, chosen = (read[chosen[-1]], value), chosen[:-1]
        if chosen.size:
            yield RowPage(places.seqs[chosen], places.keys(chosen), cells.where(chosen))


def newest_seqs(database: Database, projection: str, table: str, upto: int) -> Iterator[Positions]:
    """The events that made the newest row of each key as of an event; as `row_pages`, without their rows."""
    carried: bytes | None = None
    for read, _, is_end in _paged(database, projection, table, with_values=False):
        if carried is not None:
            read.insert(0, carried)
            carried = None
        places = Places(read)
        chosen = places.newest(np.flatnonzero(places.seqs <= upto))
        if chosen.size and not is_end:
            carried, chosen = read[chosen[-1]], chosen[:-1]
        yield places.seqs[chosen]


def _paged(
    database: Database, projection: str, table: str, *, with_values: bool = True
) -> Iterator[tuple[list[bytes], Values, bool]]:
    """The keys and values of a table of a projection, page by page, and whether it is the last one.

    Keys and values are read one after the other: pairs would keep the collector of garbage busy.
    """
    start, is_end = table.encode(), False
    beyond = bytes([start[0] + 1])
    while not is_end:
        with (
            database.begin() as txn,
            txn.cursor(database.databases[database_of(txn, database.databases, projection)]) as cursor,
        ):
            found = cursor.set_range(start)
            values, _ = _some(cursor.iternext(keys=False) if found and with_values else iter(()), _PAGE_ROWS)
            limit = len(values.lengths) if with_values else _PAGE_ROWS
            places: list[Any] = list(islice(cursor.iternext(values=False), limit)) if cursor.set_range(start) else []
        length = bisect_left(places, beyond)
        is_end = length < len(places) or len(places) < _LOOK_ROWS
        start = start if is_end else places[-1] + b"\0"
        yield places[:length], values._replace(lengths=values.lengths[:length]), is_end


def _some(values: Iterator[Any], limit: int, among: list[bool] | None = None) -> tuple[Values, int]:
    """A page of what a cursor gives, or of those among them that are wanted; and how many it has passed over for it."""
    pieces: list[bytes] = []
    lengths: list[int] = []
    passed = size_bytes = 0
    while passed < limit and size_bytes < _PAGE_BYTES:
        # Joined while they are fresh in the processor's cache, which halves the time that reading takes.
        looked = islice(values, min(_LOOK_ROWS, limit - passed))
        if among is None:
            more = list(looked)
            expected = passed + len(more)
        else:
            wanted = among[passed : passed + _LOOK_ROWS]
            more = list(compress(looked, wanted))
            expected = passed + (len(wanted) if len(more) == sum(wanted) else 0)
        pieces.append(b"".join(more))
        lengths += map(len, more)
        size_bytes += len(pieces[-1])
        is_end, passed = expected < min(passed + _LOOK_ROWS, limit), expected
        if is_end:
            break
    return Values(pieces, np.array(lengths, np.int64)), passed
