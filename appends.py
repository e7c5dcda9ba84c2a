"""Appends: events and the blobs that they name, on the way into one transaction of the store that is open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, compress
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from .cas import Blob, BlobStore, Changes
from .cas.durable import disk_errors
from .errors import Invalid, LinealError
from .events.catalogue import Event
from .events.codec import Recorded, encode_all
from .events.committer import Ticket
from .events.elsewhere import Submission
from .events.ids import EventId, StoreId, new_event_ids
from .events.projector import Projector
from .events.transaction import Learned, TransactionWriter

_recorded_of = attrgetter("recorded")
_named_by = attrgetter("named")


class Origin(NamedTuple):
    """The store where appends come from."""

    store: StoreId
    path: Path
    blobs: BlobStore
    clock: Callable[[], int]
    """Microseconds since the epoch, UTC."""

    def encoded(self, events: Sequence[Event], ids: Iterable[bytes] | None = None) -> tuple[list[Recorded], int]:
        """Events of now, under new ids or these; as `encode_all`."""
        time_us = self.clock()
        return encode_all(events, new_event_ids(len(events), time_us) if ids is None else ids, time_us, self.store)


class Append(Ticket):
    """Events and their blobs on the way into one transaction."""

    __slots__ = ("_after", "_origin", "announced", "blobs", "is_plain", "recorded")

    announced: int
    """The number under which its blobs are known to be on their way, where there are some."""
    is_plain: bool
    """Whether it can be refused only for what its events name."""
    recorded: Sequence[Recorded]
    """What is to be appended; nothing once it is settled."""

    def __init__(
        self,
        origin: Origin,
        events: Sequence[Event],
        blobs: Sequence[Blob] = (),
        after: Sequence[Ticket] = (),
        ids: Sequence[bytes] | None = None,
    ) -> None:
        self.error = None
        self._origin = origin
        self._after = after
        self.blobs = blobs
        self.recorded, size_bytes = origin.encoded(events, ids)
        self.size_bytes = size_bytes + sum([len(blob.inline or b"") for blob in blobs]) if blobs else size_bytes
        self.places = ()
        self.is_plain = not blobs and not after

    def check(self, writer: AppendWriter) -> None:
        """Refuse, by raising a `LinealError`, before anything is written."""
        self._refuse_after()
        writer.require(_named(self.recorded), self.blobs)

    def _refuse_after(self) -> None:
        """Refuse it with the error of what it comes after, if any of that failed."""
        for ticket in self._after:
            if ticket.error is not None:
                raise ticket.error

    def write(self, writer: AppendWriter) -> None:
        """Write; what fails here fails the whole transaction."""
        places = writer.add(self.recorded, self.blobs)
        self.places = self.places or places

    def settle(self) -> None:
        if self.blobs:
            self._origin.blobs.settle(self.blobs, self.announced)
        self.recorded = self.blobs = self._after = ()

    def sent(self, places: Mapping[Ticket, int]) -> Submission:
        """As another process is told of it; see `Sendable`."""
        self._refuse_after()
        after = [places[ticket] for ticket in self._after if ticket in places]
        return Submission([one.event for one in self.recorded], [one.id for one in self.recorded], self.blobs, after)


class ConditionalAppend(Append):
    """An append that leaves out what the log has, and that is refused where a stream went on."""

    __slots__ = ("_expected",)

    def __init__(
        self,
        origin: Origin,
        events: Sequence[Event],
        blobs: Sequence[Blob],
        after: Sequence[Ticket],
        ids: Sequence[EventId] | None,
        expected: Mapping[bytes, int] | None,
    ) -> None:
        if ids is not None and not len(events) == len(ids) == len(set(ids)):
            raise Invalid(f"{len(events)} events need as many ids, each another", hint="Make them with EventId.new().")
        super().__init__(origin, events, blobs, after, ids)
        self._expected = {} if expected is None else expected
        self.is_plain = False

    def check(self, writer: AppendWriter) -> None:
        found = [writer.positions.of(one.id) for one in self.recorded]
        if not found or None in found:
            writer.positions.require(self._expected)
        self.recorded = list(compress(self.recorded, [seq is None for seq in found]))
        super().check(writer)
        after = writer.log.head.seq
        self.places = [seq or (after := after + 1) for seq in found]

    def sent(self, places: Mapping[Ticket, int]) -> Submission:
        return super().sent(places)._replace(expected=self._expected)


class AppendWriter(TransactionWriter[Changes]):
    """Writes appends in one transaction."""

    __slots__ = ("_origin",)

    def __init__(self, origin: Origin, changes: Changes, projector: Projector, learned: Learned) -> None:
        """Begin, with what the transactions before have learned."""
        super().__init__(changes, changes.txn.id(), projector, learned)
        self._origin = origin

    def require(self, named: Sequence[bytes], blobs: Sequence[Blob] = ()) -> None:
        """Raise `BlobMissing` if one of these blobs is not there, or one that is named and is not of them."""
        if blobs or not self.found.issuperset(named):
            unknown = set(named) - self.found
            with disk_errors(self._origin.path):
                self._origin.blobs.check(self.changes, blobs, unknown)
            self.found |= unknown

    def add(self, recorded: Sequence[Recorded], blobs: Sequence[Blob] = ()) -> range:
        """Append events, and write the rows of these blobs, which were required; give the events' places."""
        if blobs:
            self._origin.blobs.record(self.changes, blobs)
        begun = self.log.head.seq + 1
        self.append(recorded)
        return range(begun, begun + len(recorded))

    def write(self, batch: Sequence[Append]) -> None:
        """Write appends in their order; one that is refused hears why, and nothing of it is written."""
        plain: list[Append] = []
        for append in batch:
            if append.is_plain:
                plain.append(append)
            else:
                self._write_plain(plain)
                self._write_each((append,))
                plain = []
        self._write_plain(plain)

    def _write_plain(self, appends: Sequence[Append]) -> None:
        """Write at once those that can be refused only for what they name; one by one, if something is missing."""
        recorded = list(chain.from_iterable(map(_recorded_of, appends)))
        try:
            self.require(_named(recorded))
        except LinealError:
            self._write_each(appends)
            return
        place = self.add(recorded).start
        for append in appends:
            append.places = range(place, place := place + len(append.recorded))

    def _write_each(self, appends: Sequence[Append]) -> None:
        for append in appends:
            try:
                append.check(self)
            except LinealError as refusal:
                append.error = refusal
            else:
                append.write(self)


def _named(recorded: Sequence[Recorded]) -> list[bytes]:
    return list(chain.from_iterable(map(_named_by, recorded)))
