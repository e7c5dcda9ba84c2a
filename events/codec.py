"""Events as bytes: the envelope ``[version, type, id, time_us, origin store, stream, refs, payload]`` in msgpack.

Stored bytes are never encoded again: what was written is what is hashed, copied and verified.
Longer envelopes and unknown payload fields, from newer versions, are tolerated.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import msgpack

from ..cas.digest import Digest
from ..errors import Invalid, LogCorrupt
from .catalogue import CATALOGUE, Event, Unknown
from .ids import EventId, StoreId

_K = TypeVar("_K")

ENVELOPE_VERSION = 1
EVENT_MAX_BYTES = 1024 * 1024
"""An event is a fact, not a value: what is larger belongs in a blob."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in the log."""

    seq: int
    """Position, from 1 on, without gaps."""
    id: EventId
    time_us: int
    origin: StoreId
    """The store whose log it was first written to."""
    stream: bytes
    refs: tuple[Digest, ...]
    event: Event
    chain: bytes
    """Hash over this event and all before it."""


def encode(event: Event, *, event_id: EventId, time_us: int, origin: StoreId) -> bytes:
    """Encode an event as the log keeps it.

    Raises:
        Invalid: It holds something msgpack has no form for, or is larger than `EVENT_MAX_BYTES`.
    """
    payload = {name: getattr(event, name) for name in _FIELD_NAMES[type(event)]}
    try:
        body: bytes = msgpack.packb(
            [ENVELOPE_VERSION, event.TYPE, event_id, time_us, origin, event.stream, event.refs, payload],
            unicode_errors="surrogatepass",
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise Invalid(f"event {event.TYPE} can't be encoded: {error}") from error
    if len(body) > EVENT_MAX_BYTES:
        raise Invalid(
            f"event {event.TYPE} has {len(body):,} bytes, more than {EVENT_MAX_BYTES:,}",
            hint="Pass large parameters and metadata as artifacts.",
        )
    return body


def decode(seq: int, chain: bytes, body: bytes) -> Recorded:
    """Read an event back.

    Raises:
        LogCorrupt: The bytes are not an event.
    """
    try:
        envelope = msgpack.unpackb(body, strict_map_key=False, unicode_errors="surrogatepass")
        _version, name, event_id, time_us, origin, stream, refs, payload = envelope[:8]
        return Recorded(
            seq,
            EventId(event_id),
            time_us,
            StoreId(origin),
            stream,
            tuple(Digest(ref) for ref in refs),
            _restore(name, payload),
            chain,
        )
    except (ValueError, TypeError, LookupError, AttributeError, msgpack.UnpackException) as error:
        raise _unreadable(seq, error) from error


class Envelope(NamedTuple):
    """What is known of an event without its payload."""

    seq: int
    type: str
    refs: list[bytes]
    payload: dict[str, Any] | None
    """Raw fields, where they were asked for."""


class EnvelopeReader:
    """Reads events without their payloads, about three times as fast as `decode`."""

    def __init__(self, decoded: Container[str] = ()) -> None:
        """Give payloads of these types of event only."""
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
            name = unpack()
            skip()
            skip()
            skip()
            skip()
            refs = unpack()
            payload = unpack() if name in self._decoded else skip()
            while surplus > 0:
                skip()
                surplus -= 1
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            self._renew()
            raise _unreadable(seq, error) from error
        return Envelope(seq, name, refs, payload)


def _unreadable(seq: int, error: Exception) -> LogCorrupt:
    return LogCorrupt(
        f"event {seq} can't be read: {error}", hint="Run `lineal verify`; restore the log from a copy.", seq=seq
    )


def _restore(name: str, payload: dict[str, Any]) -> Event:
    kind = CATALOGUE.get(name)
    if kind is None:
        return Unknown(name, payload)
    restored = {field: payload[field] for field in _FIELD_NAMES[kind] if field in payload}
    for field, convert in _converters(kind):
        if field in restored:
            restored[field] = convert(restored[field])
    return kind(**restored)


_FIELD_NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in CATALOGUE.values()}
_CONVERTERS: dict[type[Event], list[tuple[str, Callable[[Any], Any]]]] = {}


def _converters(kind: type[Event]) -> list[tuple[str, Callable[[Any], Any]]]:
    """What restores those fields that msgpack gives back as another type; worked out once a kind."""
    known = _CONVERTERS.get(kind)
    if known is None:
        hints = get_type_hints(kind)
        known = _CONVERTERS[kind] = _needed((name, hints[name]) for name in _FIELD_NAMES[kind])
    return known


def _needed(hints: Iterable[tuple[_K, Any]]) -> list[tuple[_K, Callable[[Any], Any]]]:
    converters = ((name, _converter(hint)) for name, hint in hints)
    return [(name, convert) for name, convert in converters if convert is not None]


def _converter(hint: Any) -> Callable[[Any], Any] | None:
    """What turns msgpack's form of a field into the field's type; None where it is that already."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (_converter(argument) for argument in arguments if argument is not type(None))
        return None if inner is None else lambda raw: None if raw is None else inner(raw)
    if origin is tuple:
        item = _converter(arguments[0])
        return tuple if item is None else lambda raw: tuple([item(one) for one in raw])
    if isinstance(hint, type) and issubclass(hint, bytes) and hint is not bytes:
        return hint
    return _record_converter(hint) if isinstance(hint, type) and hasattr(hint, "_fields") else None


def _record_converter(record: Any) -> Callable[[Any], Any]:
    """For a NamedTuple, stored as a list; columns that a newer version added at the end are passed over."""
    width = len(record._fields)
    columns = _needed(enumerate(get_type_hints(record).values()))

    def restored(raw: list[Any]) -> Any:
        values = raw[:width]
        for place, convert in columns:
            values[place] = convert(values[place])
        return record(*values)

    return restored
