"""Selection of events: by place, by type, and by run, without decoding the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..errors import InvalidReference
from ..events.catalogue import CATALOGUE, Event
from ..events.codec import Recorded
from ..events.ids import RunId
from ..events.projections import Streams
from ..events.projections.runs import RunRow
from ..events.projections.streams import stream_key
from ..events.rows import key
from ..events.upcasts import UPCASTS
from .reader import Reader
from .references import near

_FEW_EVENTS = 10_000
"""So many are read, or folded into an index, without a wait that is felt."""

EventType = type[Event] | str
"""A class of the catalogue, or a name: ``step.completed`` in all its versions, or ``step.completed/1`` in one."""


class Selection(NamedTuple):
    """Which events are wanted."""

    types: frozenset[str] | None = None
    """Names with or without a version; None for all."""
    run: RunId | None = None
    """Those of one run; None for all."""

    def takes(self, recorded: Recorded) -> bool:
        """Whether an event is among them."""
        if self.run is not None and recorded.stream != self.run:
            return False
        return self.types is None or recorded.type in self.types or base_name(recorded.type) in self.types


def selection(types: Iterable[EventType] | EventType | None, run: RunId | None) -> Selection:
    """What is wanted, in its plain form.

    Raises:
        InvalidReference: No type of event is called so.
    """
    if types is None:
        return Selection(None, run)
    listed = [types] if isinstance(types, str | type) else types
    return Selection(frozenset(_type_name(one) for one in listed), run)


def selected(reader: Reader, wanted: Selection, after: int, upto: int) -> Iterator[Recorded]:
    """The wanted events after a position, up to and with another, oldest first.

    Cost: in a long stretch those of one run are found by an index, which is caught up; else the whole stretch is read,
    at about a million events a second, and only what is wanted is decoded. Transactions are short, whatever the
    caller's pace.
    """
    if wanted.run is not None:
        after = max(after, _begin(reader, wanted.run) - 1)
        is_indexed = not reader.store.read_only or reader.store.lag(Streams.name) <= _FEW_EVENTS
        if upto - after > _FEW_EVENTS and is_indexed:
            return filter(wanted.takes, _indexed(reader, wanted.run, after, upto))
    marks = _marks(wanted)
    log = reader.store.log
    found = log.scan(after, upto) if marks is None else log.marked(marks, after, upto)
    return filter(wanted.takes, found)


def base_name(type_: str) -> str:
    """A type's name without its version."""
    return type_.partition("/")[0]


def _type_name(wanted: EventType) -> str:
    if not isinstance(wanted, str):
        return wanted.TYPE
    known = {base_name(name) for name in CATALOGUE}
    if "/" not in wanted and wanted not in known:
        raise InvalidReference(f"no event is called {wanted!r}", hint=near(wanted, sorted(known)))
    return wanted


def _marks(wanted: Selection) -> list[bytes] | None:
    """Bytes of which each wanted event, as it is stored, has one in it; None if that can be any."""
    if wanted.run is not None:
        return [wanted.run]
    if wanted.types is None:
        return None
    return [name.encode() for name in (*wanted.types, *UPCASTS)]


def _begin(reader: Reader, run: RunId) -> int:
    """The first event of a run."""
    found = reader.rows("runs").latest(key("r", run))
    return 1 if found is None else RunRow.of(found.row).started_seq


def _indexed(reader: Reader, run: RunId, after: int, upto: int) -> Iterator[Recorded]:
    rows = reader.store.rows(Streams.name, upto).history(stream_key(run))
    return (reader.event(seq) for seq, _ in rows if seq > after)
