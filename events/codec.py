"""Events as bytes: the envelope ``[version, type, id, time_us, origin store, stream, refs, payload]`` in msgpack.

The payload is a list of the type's fields in their order. (In envelopes of version 1 it is a map by the fields' names.)
Stored bytes are never encoded again: what was written is what is hashed, copied and verified.
Longer envelopes and payloads, from newer versions, are tolerated.
"""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import chain, compress, repeat
from typing import Any, NamedTuple, Self

import msgpack

from ..cas.digest import Digest
from ..errors import Invalid, LogCorrupt
from .catalogue import Event, Unknown
from .ids import EventId, StoreId
from .schema import SCHEMAS
from .upcasts import FIELDS_1, UPCASTS, upcast

ENVELOPE_VERSION = 2
_ENVELOPE_WIDTH = 8
EVENT_MAX_BYTES = 1024 * 1024
"""An event is a fact, not a value: what is larger belongs in a blob."""

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, msgpack.UnpackException)
"""What is raised where bytes that are no event are read as one."""
_local = threading.local()


class Recorded:
    """An event with its place in the log; what costs to make is made when it is asked for."""

    __slots__ = ("_event", "_origin", "body", "chain", "fields", "named", "raw_id", "seq", "stream", "time_us", "type")

    seq: int
    """Position, from 1 on, without gaps."""
    type: str
    """Name and schema version as which it is read."""
    time_us: int
    stream: bytes
    fields: Any
    """The event's fields by name as msgpack gives them: ids are bytes, records are lists. None if it is unknown."""
    raw_id: bytes
    """`id`, without its type."""
    named: Sequence[bytes]
    """`refs`, without their type."""
    chain: bytes
    """Hash over this event and all before it."""
    body: bytes
    """It as the log keeps it, where it is being appended or was read by `Log.get_all`."""
    _event: Event | None
    _origin: bytes

    def __init__(
        self, event: Event, event_id: bytes, time_us: int, named: Sequence[bytes], body: bytes, origin: StoreId
    ) -> None:
        """An event that is being appended: its place is still unknown."""
        self.type = event.TYPE
        self.time_us = time_us
        self.stream = event.stream
        self.fields = self._event = event
        self.raw_id = event_id
        self.named = named
        self.body = body
        self._origin = origin

    @classmethod
    def read(cls, seq: int, chain: bytes, body: bytes | memoryview) -> Self:
        """An event as it is stored. Raises `LogCorrupt` if the bytes are not one."""
        self = object.__new__(cls)
        try:
            envelope = msgpack.unpackb(body, strict_map_key=False, unicode_errors="surrogatepass")
            if len(envelope) > _ENVELOPE_WIDTH:
                envelope = envelope[:_ENVELOPE_WIDTH]
            version, type_, self.raw_id, self.time_us, self._origin, self.stream, self.named, payload = envelope
            if version == 1:
                payload = _listed(type_, payload)
            schema = SCHEMAS.get(type_)
            if schema is None and type_ in UPCASTS:
                type_, payload = upcast(type_, payload)
                schema = SCHEMAS.get(type_)
            self.fields = None if schema is None else schema.fields(payload)
        except UNREADABLE as error:
            raise _unreadable(seq, error) from error
        self.seq, self.type, self.chain = seq, type_, chain
        self._event = Unknown(type_, payload) if schema is None else None
        return self

    @property
    def id(self) -> EventId:
        """Its identity in every store that it is copied to."""
        return EventId(self.raw_id)

    @property
    def origin(self) -> StoreId:
        """The store whose log it was first written to."""
        return StoreId(self._origin)

    @property
    def refs(self) -> tuple[Digest, ...]:
        """The digests that it names."""
        return tuple([Digest(ref) for ref in self.named])

    @property
    def event(self) -> Event:
        """What it says. Raises `LogCorrupt` if a field is not of its type."""
        if self._event is None:
            try:
                self._event = SCHEMAS[self.type].event(self.fields)
            except UNREADABLE as error:
                raise _unreadable(self.seq, error) from error
        return self._event


class Encoded(list[Any]):
    """Encoded events that are to be appended, flat: of each its event, id, time in µs, refs and bytes.

    What waits in great numbers has so no object of ours for each, at which the collector of garbage would look.
    """

    __slots__ = ("size_bytes",)

    WIDTH = 5
    """Items of each event."""
    size_bytes: int
    """How many bytes they have in the log, as they were encoded."""

    @property
    def events(self) -> list[Event]:
        """The events."""
        return self[:: self.WIDTH]

    @property
    def ids(self) -> list[bytes]:
        """The id of each."""
        return self[1 :: self.WIDTH]

    @property
    def named(self) -> Iterator[bytes]:
        """All that they name."""
        return chain.from_iterable(self[3 :: self.WIDTH])

    def chosen(self, is_chosen: Iterable[bool]) -> Encoded:
        """Those of which it is told that they are chosen."""
        return Encoded(compress(self, chain.from_iterable(repeat(one, self.WIDTH) for one in is_chosen)))

    def recorded(self, origin: StoreId) -> Iterator[Recorded]:
        """Each as it will be in the log of a store."""
        columns = [self[column :: self.WIDTH] for column in range(self.WIDTH)]
        return map(Recorded, *columns, repeat(origin))


def encode(event: Event, event_id: bytes, time_us: int, origin: StoreId) -> bytes:
    """An event as the log keeps it; raises as `encode_all`."""
    body: bytes = encode_all((event,), (event_id,), time_us, origin)[-1]
    return body


def encode_all(events: Sequence[Event], ids: Iterable[bytes], time_us: int, origin: StoreId) -> Encoded:
    """Encode events under their ids.

    Raises:
        Invalid: One holds something msgpack has no form for, is larger than `EVENT_MAX_BYTES`, or is `Unknown`.
    """
    try:
        pack = _local.pack
    except AttributeError:
        pack = _local.pack = msgpack.Packer().pack  # A text is taken as it lies in memory, where that is UTF-8.
    encoded, size_bytes = Encoded(), 0
    next_id = iter(ids).__next__
    for event in events:
        event_id = next_id()
        type_, named = event.TYPE, event.refs
        envelope = ENVELOPE_VERSION, type_, event_id, time_us, origin, event.stream, named, event
        try:
            body: bytes = pack(envelope)
        except (TypeError, ValueError, OverflowError):
            body = _packed_anew(envelope)
        if not type_:
            raise Invalid("an event of an unknown type is not made here", hint="Copy its bytes instead.")
        body_bytes = len(body)
        if body_bytes > EVENT_MAX_BYTES:
            raise Invalid(
                f"event {type_} has {body_bytes:,} bytes, more than {EVENT_MAX_BYTES:,}",
                hint="Pass large parameters and metadata as artifacts.",
            )
        size_bytes += body_bytes
        encoded += (event, event_id, time_us, named, body)
    encoded.size_bytes = size_bytes
    return encoded


def _packed_anew(envelope: tuple[Any, ...]) -> bytes:
    """Pack what this thread's packer could not, perhaps for a lone surrogate; it may still have some of it in it."""
    del _local.pack
    try:
        body: bytes = msgpack.packb(envelope, unicode_errors="surrogatepass")
    except (TypeError, ValueError, OverflowError) as error:
        raise Invalid(f"event {envelope[1]} can't be encoded: {error}") from error
    return body


def decode(seq: int, chain: bytes, body: bytes | memoryview) -> Recorded:
    """Read an event back.

    Raises:
        LogCorrupt: The bytes are not an event.
    """
    return Recorded.read(seq, chain, body)


def _listed(type_: str, payload: dict[str, Any]) -> Any:
    """A payload by name as one in order; one of an unknown type stays as it is."""
    schema = SCHEMAS.get(type_)
    if schema is not None:
        return schema.listed(payload)
    names = FIELDS_1.get(type_)
    return payload if names is None else [payload[name] for name in names]


def type_of(body: bytes, start: int = 0) -> bytes | None:
    """The type as which an event is stored, in UTF-8, told by its first bytes; None where that takes decoding them.

    Cost: a tenth of `decode`'s. Format: msgpack's fixarray, positive fixint and fixstr.
    """
    head = body[start : start + 3]
    if len(head) < 3 or head[0] & 0xF0 != 0x90 or head[1] > 0x7F or head[2] & 0xE0 != 0xA0:
        return None
    return body[start + 3 : start + 3 + (head[2] & 0x1F)]


def time_us_of(row: bytes, start: int) -> int:
    """When an event was recorded, whose bytes begin at a place, without reading the rest of it.

    Raises:
        LogCorrupt: The bytes are not an event.
    """
    try:
        type_ = type_of(row, start)
        # After the type, an id of 18 bytes with its head, and mostly a time of 8 bytes.
        place = 0 if type_ is None else start + 21 + len(type_)
        if place and row[place] == 0xCF:
            return int.from_bytes(row[place + 1 : place + 9], "big")
        time_us: int = msgpack.unpackb(row[start:], strict_map_key=False, unicode_errors="surrogatepass")[3]
    except UNREADABLE as error:
        raise _unreadable(0, error) from error
    return time_us


class Envelope(NamedTuple):
    """What is known of an event without its payload."""

    seq: int
    type: str
    stream: bytes
    refs: list[bytes]
    fields: Any
    """As `Recorded.fields`, where they were asked for; else None."""


class EnvelopeReader:
    """Reads events without their payloads, which is faster the larger those are."""

    def __init__(self, decoded: Container[str] = ()) -> None:
        """Give the fields of these types of event only."""
        self._decoded = decoded
        self._renew()

    def _renew(self) -> None:
        self._unpacker = msgpack.Unpacker(strict_map_key=False, unicode_errors="surrogatepass")

    def read(self, seq: int, body: bytes | memoryview) -> Envelope:
        """Read one event's envelope.

        Raises:
            LogCorrupt: The bytes are not an event.
        """
        unpacker = self._unpacker
        unpack, skip = unpacker.unpack, unpacker.skip
        try:
            unpacker.feed(body)
            surplus = unpacker.read_array_header() - 8
            skip()
            type_ = unpack()
            skip()
            skip()
            skip()
            stream = unpack()
            refs = unpack()
            skip()
            while surplus > 0:
                skip()
                surplus -= 1
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            self._renew()
            raise _unreadable(seq, error) from error
        fields = Recorded.read(seq, b"", body).fields if type_ in self._decoded else None
        return Envelope(seq, type_, stream, refs, fields)


def _unreadable(seq: int, error: Exception) -> LogCorrupt:
    return LogCorrupt(
        f"event {seq} can't be read: {error}", hint="Run `lineal verify`; restore the log from a copy.", seq=seq
    )
