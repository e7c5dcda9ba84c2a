"""Pages: what a table is made from, read in short transactions, so that a slow reader pins nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import compress, islice
from typing import Any, NamedTuple

import msgpack
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import LogCorrupt
from ..events.codec import ENVELOPE_VERSION, decode
from ..events.log import CHAIN_BYTES, EVENTS, Database
from ..events.rows import STAMP_BYTES, last_stamp
from ..events.schema import SCHEMAS
from ..events.standing import database_of
from ..events.upcasts import UPCASTS
from .packed import Cells, Flags, Integers, Positions, hexed

_PAGE_ROWS = 16_384
_PAGE_BYTES = 32 * 1024 * 1024
_LOOK_ROWS = 256
_SURROGATES = {"unicode_errors": "surrogatepass"}

_TYPE = CHAIN_BYTES + 2
"""Where a row of the log says of which type the event is, behind the chain and two bytes of the envelope."""
_MANY = 0xA0
"""First byte of an envelope of more than fifteen values, where it is elsewhere."""

Read = Callable[[Cells], Any]
"""A method of `Cells` that gives a column."""


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
        with database.begin() as txn, txn.cursor(database.databases[EVENTS]) as cursor:
            values = _some(cursor.iternext(keys=False)) if cursor.set_range(start) else []
            last = int.from_bytes(cursor.key() or (cursor.last() and cursor.key()) or b"", "big")
        if last != after + len(values):
            raise LogCorrupt(f"events are missing after event {after}", hint="Run `lineal verify`.", seq=after + 1)
        del values[upto - after :]
        seqs = np.arange(after + 1, after + 1 + len(values))
        after += len(values)
        if among is not None:
            chosen = among[seqs]
            seqs, values = seqs[chosen], list(compress(values, chosen.tolist()))
        elif types is not None:
            wanted = _may_be(types, values)
            seqs, values = seqs[np.array(wanted)], list(compress(values, wanted))
        if values:
            yield _log_page(seqs, values)


def events_at(database: Database, positions: Positions) -> tuple[LogPage, Positions]:
    """The events at some positions, each once and in order; and for each position which of them it is."""
    seqs, places = np.unique(positions, return_inverse=True)
    with database.begin() as txn:
        events = database.databases[EVENTS]
        values = [txn.get(seq.to_bytes(8, "big"), db=events) for seq in seqs.tolist()]
    if None in values:
        raise LogCorrupt("an index names an event that is gone", hint="Run `lineal verify`.")
    return _log_page(seqs, [bytes(value) for value in values if value is not None]), places


def _may_be(types: Collection[str], values: list[bytes]) -> list[bool]:
    """Which rows of the log may be events of one of these types, by the first bytes that the types all have."""
    packed = [msgpack.packb(one) for one in (*types, *UPCASTS)]
    place = slice(_TYPE, _TYPE + min(map(len, packed)))
    heads = {one[: place.stop - place.start] for one in packed}
    return [value[place] in heads or value[CHAIN_BYTES] >= _MANY for value in values]


def _log_page(seqs: Positions, values: list[bytes]) -> LogPage:
    page, is_old = _read(seqs, values)
    if is_old.any():
        for place in np.flatnonzero(is_old):
            values[place] = _of_today(int(seqs[place]), values[place])
        page, _ = _read(seqs, values)
    return page


def _read(seqs: Positions, values: list[bytes]) -> tuple[LogPage, Flags]:
    """A page, and which of its events are not laid out as today's."""
    cells = Cells.of(values, start=CHAIN_BYTES).entered()
    versions = cells.integers().values
    found = cells.bytes().dictionary_encode()
    codes = found.indices.to_numpy(zero_copy_only=False)
    types = [name.decode("utf-8", "replace") for name in found.dictionary.to_pylist()]
    is_old = (versions < ENVELOPE_VERSION) | np.isin(codes, [types.index(one) for one in UPCASTS if one in types])
    return LogPage(seqs, types, codes, cells), is_old


def _of_today(seq: int, value: bytes) -> bytes:
    """A row of the log as it would be written today: read as today's event, laid out as today's."""
    recorded = decode(seq, value[:CHAIN_BYTES], value[CHAIN_BYTES:])
    payload = recorded.event.payload if recorded.fields is None else recorded.fields  # type: ignore[attr-defined]
    envelope = (ENVELOPE_VERSION, recorded.type, recorded.raw_id, recorded.time_us, recorded.origin, recorded.stream)
    packed: bytes = msgpack.packb((*envelope, recorded.named, payload), **_SURROGATES)
    return value[:CHAIN_BYTES] + packed


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
    for name in names:
        if name not in wanted:
            passed_over += 1
            continue
        if passed_over:
            record.skip(passed_over)
            passed_over = 0
        found[name] = wanted[name](record)
    return found


class RowPage(NamedTuple):
    """Some rows of a projection."""

    seqs: Positions
    """The events that made them."""
    keys: list[bytes]
    """Without what says which event made them."""
    values: list[bytes]

    def cells(self) -> Cells:
        """The rows, to be read by columns."""
        return Cells.of(self.values)

    def key_digests(self) -> pa.Array:
        """The digests that the keys begin with, behind the table's letter."""
        return hexed(pa.array([key[1:33] for key in self.keys], pa.binary()))


def row_pages(database: Database, projection: str, table: str, upto: int, *, newest: bool) -> Iterator[RowPage]:
    """The rows of a projection's table as of an event, in the order of their keys: all, or the newest of each key."""
    last = last_stamp(upto)
    carried_place, carried_value = b"", b""
    for places, values, is_end in _paged(database, projection, table):
        if carried_place:
            places.insert(0, carried_place)
            values.insert(0, carried_value)
            carried_place = b""
        # By number: pairs would keep the collector of garbage busy.
        made = [number for number, place in enumerate(places) if place[-STAMP_BYTES:] <= last]
        if newest:
            made = list({places[number][:-STAMP_BYTES]: number for number in made}.values())
            if made and not is_end:  # The next page may have a newer row of the last key.
                number = made.pop()
                carried_place, carried_value = places[number], values[number]
        if made:
            kept = [places[number] for number in made]
            keys = [place[:-STAMP_BYTES] for place in kept]
            yield RowPage(_seqs_of(kept), keys, [values[number] for number in made])


def newest_seqs(database: Database, projection: str, table: str, upto: int) -> Iterator[Positions]:
    """The events that made the newest row of each key as of an event; as `row_pages`, without their rows."""
    last = last_stamp(upto)
    carried = b""
    for places, _, is_end in _paged(database, projection, table, with_values=False):
        if carried:
            places.insert(0, carried)
        made = {place[:-STAMP_BYTES]: place for place in places if place[-STAMP_BYTES:] <= last}
        carried = made.popitem()[1] if made and not is_end else b""
        yield _seqs_of(list(made.values()))


def _seqs_of(places: list[bytes]) -> Positions:
    return np.frombuffer(b"".join([place[-STAMP_BYTES:-4] for place in places]), ">u8").astype(np.int64)


def _paged(
    database: Database, projection: str, table: str, *, with_values: bool = True
) -> Iterator[tuple[list[bytes], list[bytes], bool]]:
    """The keys and values of a table of a projection, page by page, and whether it is the last one.

    Keys and values are read one after the other, for the same reason that they are told by numbers.
    """
    start, is_end = table.encode(), False
    beyond = bytes([start[0] + 1])
    while not is_end:
        with (
            database.begin() as txn,
            txn.cursor(database.databases[database_of(txn, database.databases, projection)]) as cursor,
        ):
            found = cursor.set_range(start)
            values = _some(cursor.iternext(keys=False)) if found and with_values else []
            limit = len(values) if with_values else _PAGE_ROWS
            places: list[Any] = list(islice(cursor.iternext(values=False), limit)) if cursor.set_range(start) else []
        length = bisect_left(places, beyond)
        is_end = length < len(places) or len(places) < _LOOK_ROWS
        start = start if is_end else places[-1] + b"\0"
        yield places[:length], values[:length], is_end


def _some(values: Iterator[Any]) -> list[bytes]:
    """A page of what a cursor gives."""
    page: list[bytes] = []
    size_bytes = 0
    while len(page) < _PAGE_ROWS and size_bytes < _PAGE_BYTES:
        more = list(islice(values, _LOOK_ROWS))
        page += more
        size_bytes += sum(map(len, more))
        if len(more) < _LOOK_ROWS:
            break
    return page
