"""Events as bytes: the envelope ``[version, type, id, time_us, origin store, stream, refs, payload]`` in msgpack.

The payload is a list of the type's fields in their order. (In envelopes of version 1 it is a map by the fields' names.)
Stored bytes are never encoded again: what was written is what is hashed, copied and verified.
Longer envelopes and payloads, from newer versions, are tolerated.
"""

from __future__ import annotations

import threading
from collections.abc import Container
from typing import Any, NamedTuple, Self

import msgpack

from ..cas.digest import Digest
from ..errors import Invalid, LogCorrupt
from .catalogue import Event, Unknown
from .ids import EventId, StoreId
from .schema import SCHEMAS, schema_of
from .upcasts import FIELDS_1, UPCASTS, upcast

ENVELOPE_VERSION = 2
EVENT_MAX_BYTES = 1024 * 1024
"""An event is a fact, not a value: what is larger belongs in a blob."""

_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, msgpack.UnpackException)
_local = threading.local()


class Recorded:
    """An event with its place in the log; what costs to make is made when it is asked for."""

    __slots__ = ("_event", "_id", "_origin", "_refs", "chain", "fields", "seq", "stream", "time_us", "type")

    seq: int
    """Position, from 1 on, without gaps."""
    type: str
    """Name and schema version as which it is read."""
    time_us: int
    stream: bytes
    fields: Any
    """The event's fields by name as msgpack gives them: ids are bytes, records are lists. None if it is unknown."""
    chain: bytes
    """Hash over this event and all before it."""

    def __init__(
        self,
        seq: int,
        event_id: EventId,
        time_us: int,
        origin: StoreId,
        event: Event,
        chain: bytes,
        refs: tuple[Digest, ...] | None = None,
    ) -> None:
        """An event that is being appended."""
        self.seq, self.type, self.time_us, self.stream = seq, event.TYPE, time_us, event.stream
        self.fields = schema_of(type(event)).fields_of(event)
        self.chain = chain
        self._id: bytes = event_id
        self._origin: bytes = origin
        self._refs: Any = event.refs if refs is None else refs
        self._event: Event | Any = event

    @classmethod
    def read(cls, seq: int, chain: bytes, body: bytes | memoryview) -> Self:
        """An event as it is stored. Raises `LogCorrupt` if the bytes are not one."""
        self = object.__new__(cls)
        try:
            version, type_, self._id, self.time_us, self._origin, self.stream, self._refs, payload = msgpack.unpackb(
                body, strict_map_key=False, unicode_errors="surrogatepass"
            )[:8]
            if version == 1:
                payload = _listed(type_, payload)
            if type_ in UPCASTS:
                type_, payload = upcast(type_, payload)
            schema = SCHEMAS.get(type_)
            self.fields = None if schema is None else schema.fields(payload)
        except _UNREADABLE as error:
            raise _unreadable(seq, error) from error
        self.seq, self.type, self.chain = seq, type_, chain
        self._event = Unknown(type_, payload) if schema is None else None
        return self

    @property
    def id(self) -> EventId:
        """Its identity in every store that it is copied to."""
        return EventId(self._id)

    @property
    def origin(self) -> StoreId:
        """The store whose log it was first written to."""
        return StoreId(self._origin)

    @property
    def refs(self) -> tuple[Digest, ...]:
        """The digests that it names."""
        return tuple([Digest(ref) for ref in self._refs])

    @property
    def event(self) -> Event:
        """What it says. Raises `LogCorrupt` if a field is not of its type."""
        if self._event is None:
            try:
                self._event = SCHEMAS[self.type].event(self.fields)
            except _UNREADABLE as error:
                raise _unreadable(self.seq, error) from error
        event: Event = self._event
        return event


def encode(
    event: Event, *, event_id: EventId, time_us: int, origin: StoreId, refs: tuple[Digest, ...] | None = None
) -> bytes:
    """Encode an event as the log keeps it; ``refs`` are the event's, where they are at hand.

    Raises:
        Invalid: It holds something msgpack has no form for, or is larger than `EVENT_MAX_BYTES`.
    """
    payload = schema_of(type(event)).fields_of(event)
    held = event.refs if refs is None else refs
    try:
        body: bytes = _packer().pack(
            (ENVELOPE_VERSION, event.TYPE, event_id, time_us, origin, event.stream, held, payload)
        )
    except (TypeError, ValueError, OverflowError) as error:
        _local.packer = None  # What it has packed by then is still in it.
        raise Invalid(f"event {event.TYPE} can't be encoded: {error}") from error
    if len(body) > EVENT_MAX_BYTES:
        raise Invalid(
            f"event {event.TYPE} has {len(body):,} bytes, more than {EVENT_MAX_BYTES:,}",
            hint="Pass large parameters and metadata as artifacts.",
        )
    return body


def _packer() -> msgpack.Packer:
    """This thread's packer: making one takes longer than packing an event."""
    packer = getattr(_local, "packer", None)
    if packer is None:
        packer = _local.packer = msgpack.Packer(unicode_errors="surrogatepass")
    return packer


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
