"""Pages: what a table is made from, read in short transactions, so that a slow reader pins nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgpack
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import LogCorrupt
from ..events.codec import ENVELOPE_VERSION, decode
from ..events.log import CHAIN_BYTES, EVENTS, Database
from ..events.schema import SCHEMAS
from ..events.standing import database_of
from ..events.upcasts import UPCASTS
from .cuts import Flags, Positions, unreadable
from .keys import Keys, Places
from .leaves import Leaves
from .packed import Cells, Integers
from .values import Values

_PAGE_ROWS = 16_384
_PAGE_BYTES = 32 * 1024 * 1024
_LOOK_ROWS = 128
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
    """The events up to one, in order, each read as one of today's; a page is to be read before the next is asked for.

    Args:
        database: The one of the log.
        upto: The last event.
        among: By position, whether an event is wanted.
        types: Those that are wanted; others may be given, too.
    """
    after, leaves = 0, Leaves(database)
    while after < upto:
        seqs, cells = leaves.after(after)
        seqs = seqs[: upto - after]
        if not np.array_equal(seqs, np.arange(after + 1, after + 1 + max(len(seqs), 1))):
            raise LogCorrupt(f"events are missing after event {after}", hint="Run `lineal verify`.", seq=after + 1)
        after += len(seqs)
        cells = cells.where(slice(len(seqs)))
        if among is not None:
            cells, seqs = cells.where(among[seqs]), seqs[among[seqs]]
        if types is not None:
            chosen = _may_be(types, cells).nonzero()[0]
            seqs, cells = seqs[chosen], cells.where(chosen)
        if seqs.size:
            yield _log_page(seqs, cells)


def events_at(database: Database, positions: Positions) -> Iterator[LogPage]:
    """The events at some positions, each once and in order; at most so many a page as a page of rows has bytes."""
    seqs, done = np.unique(positions), 0
    keys = [seq.to_bytes(8, "big") for seq in seqs.tolist()]
    while done < len(keys):
        values = Values()
        with database.begin() as txn, txn.cursor(database.databases[EVENTS]) as cursor:
            # A cursor finds what is near without beginning at the root.
            read = _some(values, _each(cursor.get, keys[done:]), len(keys))
        yield _log_page(seqs[done : done + read], values.cells(CHAIN_BYTES))
        done += read


def _each(get: Callable[[bytes], Any], keys: Iterable[bytes]) -> Iterator[bytes]:
    for key in keys:
        event = get(key)
        if event is None:
            raise LogCorrupt("an index names an event that is gone", hint="Run `lineal verify`.")
        yield event


def _log_page(seqs: Positions, envelopes: Cells) -> LogPage:
    page, is_old = _read(seqs, envelopes.where(slice(None)))
    if is_old.any():
        bodies = [bytes(body) for body in envelopes.whole().to_pylist()]
        for place in np.flatnonzero(is_old):
            bodies[place] = _of_today(int(seqs[place]), bodies[place])
        page, _ = _read(seqs, Values.of(bodies).cells())
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
    if found.null_count:
        raise unreadable("an event has no type")
    codes = found.indices.to_numpy(zero_copy_only=False)
    types = [name.decode("utf-8", "replace") for name in found.dictionary.to_pylist()]
    is_old = (versions < ENVELOPE_VERSION) | _are_among(UPCASTS, types, codes)
    return LogPage(seqs, types, codes, cells), is_old


def _are_among(wanted: Collection[str], types: list[str], codes: NDArray[np.int64]) -> Flags:
    """Which events are of one of the wanted types."""
    flags: Flags = np.array([one in wanted for one in types], np.bool_).take(codes)
    return flags


def _of_today(seq: int, body: bytes) -> bytes:
    """An event as it would be written today: read as today's event, laid out as today's."""
    recorded = decode(seq, b"", body)
    payload = recorded.event.payload if recorded.fields is None else recorded.fields  # type: ignore[attr-defined]
    envelope = (ENVELOPE_VERSION, recorded.type, recorded.raw_id, recorded.time_us, recorded.origin, recorded.stream)
    packed: bytes = msgpack.packb((*envelope, recorded.named, payload), **_SURROGATES)
    return packed


def of_types(types: Collection[str], page: LogPage) -> Positions:
    """Which of a page's events are of some types."""
    chosen: Positions = _are_among(types, page.types, page.codes).nonzero()[0]
    return chosen


def columns_of(page: LogPage, types: Sequence[str], wanted: Mapping[str, Read]) -> EventColumns | None:
    """Columns of a page's events of some types, by their fields' names; None if there are none.

    The types must have the same fields, up to the last that is wanted.
    """
    chosen = of_types(types, page)
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


def columns_at(
    database: Database,
    positions: Positions,
    types: Sequence[str],
    wanted: Mapping[str, Read],
    told: Callable[[dict[str, Any]], dict[str, pa.Array]] = dict,
) -> dict[str, pa.Array]:
    """Columns of the event that each position names, which is of these types.

    Args:
        wanted: Fields, as for `columns_of`.
        told: What is told of them.
    """
    pages: list[dict[str, pa.Array]] = []
    for page in events_at(database, positions):
        found = columns_of(page, types, wanted)
        if found is None or len(found.seq) != len(page.seqs):
            raise unreadable("an index names an event of another kind")
        pages.append(told(found.fields))
    _, places = np.unique(positions, return_inverse=True)
    return {name: pa.concat_arrays([one[name] for one in pages]).take(pa.array(places)) for name in pages[0]}


def texts_at(
    database: Database, positions: Positions, types: Sequence[str], names: Sequence[str]
) -> dict[str, pa.Array]:
    """Fields that are texts, as of `columns_at`."""
    return columns_at(database, positions, types, dict.fromkeys(names, Cells.texts))


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
    """The rows of a projection's table as of an event, in the order of their keys: all, or the newest of each key.

    A page is to be read before the next one is asked for.
    """
    for places, chosen, values in _paged(database, projection, table, upto, newest=newest):
        if chosen.size:
            yield RowPage(places.seqs[chosen], places.keys(chosen), values.cells().where(chosen))


def newest_seqs(database: Database, projection: str, table: str, upto: int) -> Iterator[Positions]:
    """The events that made the newest row of each key as of an event; as `row_pages`, without their rows."""
    for places, chosen, _ in _paged(database, projection, table, upto, newest=True, with_values=False):
        yield places.seqs[chosen]


def _paged(
    database: Database, projection: str, table: str, upto: int, *, newest: bool, with_values: bool = True
) -> Iterator[tuple[Places, Positions, Values]]:
    """The rows of a table of a projection, page by page: where they are, which of them are wanted, and their values.

    Keys and values are read one after the other: pairs would keep the collector of garbage busy.
    """
    start, is_end, values = table.encode(), False, Values()
    beyond = bytes([start[0] + 1])
    carried: list[tuple[bytes, bytes]] = []
    while not is_end:
        read = [place for place, _ in carried]
        values.clear()
        values.add([value for _, value in carried])
        with (
            database.begin() as txn,
            txn.cursor(database.databases[database_of(txn, database.databases, projection)]) as cursor,
        ):
            found = with_values and cursor.set_range(start)
            rows = _some(values, cursor.iternext(keys=False), _PAGE_ROWS) if found else _PAGE_ROWS
            more: list[Any] = list(islice(cursor.iternext(values=False), rows)) if cursor.set_range(start) else []
        length = bisect_left(more, beyond)
        is_end = length < len(more) or len(more) < _LOOK_ROWS
        start = start if is_end else more[-1] + b"\0"
        read += more[:length]
        places = Places(read)
        chosen = np.flatnonzero(places.seqs <= upto)
        if newest:
            chosen = places.newest(chosen)
            carried = []
            if chosen.size and not is_end:  # The next page may have a newer row of the last key.
                last, chosen = chosen[-1], chosen[:-1]
                carried = [(read[last], values.at(last) if with_values else b"")]
        yield places, chosen, values


def _some(into: Values, values: Iterator[Any], limit: int) -> int:
    """Add a page of what a cursor gives, and not nothing; tell how many it has given."""
    given, is_end = 0, False
    while not is_end and given < limit and (not given or into.size_bytes < _PAGE_BYTES):
        asked = min(_LOOK_ROWS, limit - given)
        more = list(islice(values, asked))
        is_end = len(more) < asked
        given += len(more)
        into.add(more)
    return given
