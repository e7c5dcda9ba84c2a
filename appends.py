"""Appends: events and the blobs that they name, on the way into one transaction of the store that is open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .cas import Blob, BlobStore, Changes
from .cas.durable import disk_errors
from .errors import Invalid, LinealError
from .events.catalogue import Event
from .events.codec import Encoded, encode_all
from .events.committer import BATCH_BYTES, BATCH_SUBMISSIONS, Ticket
from .events.elsewhere import Submission
from .events.ids import EventId, StoreId, new_event_ids
from .events.projector import Projector
from .events.transaction import Learned, TransactionWriter


class Origin(NamedTuple):
    """The store where appends come from."""

    store: StoreId
    path: Path
    blobs: BlobStore
    clock: Callable[[], int]
    """Microseconds since the epoch, UTC."""

    def encoded(self, events: Sequence[Event], ids: Iterable[bytes] | None = None) -> Encoded:
        """Events of now, under new ids or these; raises as `encode_all`."""
        time_us = self.clock()
        return encode_all(events, new_event_ids(len(events), time_us) if ids is None else ids, time_us, self.store)


class Append(Ticket):
    """Events and their blobs on the way into one transaction."""

    __slots__ = (
        "_after",
        "_encoded",
        "_first",
        "_group",
        "_last",
        "_origin",
        "_places",
        "announced",
        "blobs",
        "is_plain",
    )

    is_plain: bool
    """Whether it can be refused only for what its events name."""
    announced: int
    """The number under which its blobs are known to be on their way, where there are some."""

    def __init__(
        self,
        origin: Origin,
        events: Sequence[Event],
        blobs: Sequence[Blob] = (),
        after: Sequence[Ticket] = (),
        ids: Sequence[bytes] | None = None,
    ) -> None:
        self.error = None
        self.blobs = blobs
        self.is_plain = not blobs and not after
        self._origin = origin
        self._after = after
        self._encoded = encoded = origin.encoded(events, ids)
        self.size_bytes = encoded.size_bytes
        if blobs:
            self.size_bytes += sum([len(blob.inline or b"") for blob in blobs])
        self._group: AppendGroup | None = None
        self._places: Sequence[int] | None = None

    def join(self, last: AppendGroup | None) -> AppendGroup:
        group = last
        if group is None or not (group.takes_more and self.is_plain):
            group = AppendGroup(self._encoded, is_plain=self.is_plain)
            self._first = 0
        else:
            self._first = len(group.encoded)
            group.encoded += self._encoded
        self._group = group
        self._last = len(group.encoded)
        if self.is_plain:
            self._encoded = _NOTHING  # It shares the group's by now.
        tickets = group.tickets
        tickets.append(self)
        group.size_bytes += self.size_bytes
        if len(tickets) == BATCH_SUBMISSIONS or group.size_bytes >= BATCH_BYTES:
            group.takes_more = False
        return group

    @property
    def encoded(self) -> Encoded:
        """Its events; none once it is settled."""
        if self._encoded or self._group is None:
            return self._encoded
        return Encoded(self._group.encoded[self._first : self._last])

    @property
    def places(self) -> Sequence[int]:
        if self._places is not None:
            return self._places
        if self._group is None:
            return ()
        begun, width = self._group.begun, Encoded.WIDTH
        return range(begun + self._first // width, begun + self._last // width)

    @places.setter
    def places(self, found: Sequence[int]) -> None:
        self._places = found

    def check(self, writer: AppendWriter) -> None:
        """Refuse, by raising a `LinealError`, before anything is written."""
        self._refuse_after()
        writer.require(self.encoded, self.blobs)

    def _refuse_after(self) -> None:
        """Refuse it with the error of what it comes after, if any of that failed."""
        for ticket in self._after:
            if ticket.error is not None:
                raise ticket.error

    def write(self, writer: AppendWriter) -> None:
        """Write; what fails here fails the whole transaction."""
        self._places = writer.add(self.encoded, self.blobs)

    def settle(self) -> None:
        """Let go of what was to be written."""
        if self.blobs:
            self._origin.blobs.settle(self.blobs, self.announced)
        self._encoded = _NOTHING
        self.blobs = self._after = ()

    def sent(self, places: Mapping[Ticket, int]) -> Submission:
        """As another process is told of it; see `Sendable`."""
        self._refuse_after()
        after = [places[ticket] for ticket in self._after if ticket in places]
        encoded = self.encoded
        return Submission(encoded.events, list(map(EventId, encoded.ids)), self.blobs, after)


_NOTHING = Encoded()


class ConditionalAppend(Append):
    """An append that leaves out what the log has, and that is refused where a stream went on."""

    __slots__ = ("_expected", "_new")

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
        self._new: Encoded | None = None
        self.is_plain = False

    def check(self, writer: AppendWriter) -> None:
        encoded = self.encoded
        found = [writer.positions.of(EventId(event_id)) for event_id in encoded.ids]
        if not found or None in found:
            writer.positions.require(self._expected)
        self._new = encoded.chosen([seq is None for seq in found])
        self._refuse_after()
        writer.require(self._new, self.blobs)
        after = writer.log.head.seq
        self._places = [seq or (after := after + 1) for seq in found]

    def write(self, writer: AppendWriter) -> None:
        assert self._new is not None, "it is checked first"
        writer.add(self._new, self.blobs)
        self._new = None

    def sent(self, places: Mapping[Ticket, int]) -> Submission:
        return super().sent(places)._replace(expected=self._expected)


class AppendGroup:
    """Appends that wait together: plain ones, whose events are common, or one of another kind.

    So all are written as fast as one; each is refused by itself all the same.
    """

    __slots__ = ("begun", "encoded", "is_plain", "size_bytes", "takes_more", "tickets")

    def __init__(self, encoded: Encoded, *, is_plain: bool) -> None:
        self.is_plain = self.takes_more = is_plain
        self.encoded = encoded
        self.tickets: list[Append] = []
        self.size_bytes = 0
        self.begun = 0
        """Where the first event is, once they were written together."""

    def settle(self) -> None:
        """Let go of the appends, and of what was to be written."""
        if not self.is_plain:
            self.tickets[0].settle()
        self.encoded = _NOTHING
        self.tickets = []


class AppendWriter(TransactionWriter[Changes]):
    """Writes appends in one transaction."""

    __slots__ = ("_origin",)

    def __init__(self, origin: Origin, changes: Changes, projector: Projector, learned: Learned) -> None:
        """Begin, with what the transactions before have learned."""
        super().__init__(changes, changes.txn.id(), projector, learned)
        self._origin = origin

    def require(self, encoded: Encoded, blobs: Sequence[Blob] = ()) -> None:
        """Raise `BlobMissing` if one of these blobs is not there, or one that is named and is not of them."""
        if blobs or not self.found.issuperset(encoded.named):
            unknown = set(encoded.named) - self.found
            with disk_errors(self._origin.path):
                self._origin.blobs.check(self.changes, blobs, unknown)
            self.found |= unknown

    def add(self, encoded: Encoded, blobs: Sequence[Blob] = ()) -> range:
        """Append events, and write the rows of these blobs, which were required; give the events' places."""
        if blobs:
            self._origin.blobs.record(self.changes, blobs)
        begun = self.log.head.seq + 1
        self.append(encoded.recorded(self._origin.store))
        return range(begun, self.log.head.seq + 1)

    def write(self, batch: Sequence[AppendGroup]) -> None:
        """Write appends in their order; one that is refused hears why, and nothing of it is written."""
        for group in batch:
            if not group.is_plain or not self._write_together(group):
                self._write_each(group.tickets)

    def _write_together(self, group: AppendGroup) -> bool:
        """Write all of a group, unless something that they name is missing; tell whether that was done."""
        try:
            self.require(group.encoded)
        except LinealError:
            return False
        group.begun = self.add(group.encoded).start
        return True

    def _write_each(self, appends: Sequence[Append]) -> None:
        for append in appends:
            try:
                append.check(self)
            except LinealError as refusal:
                append.error = refusal
            else:
                append.write(self)
