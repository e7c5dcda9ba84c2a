"""Events as bytes: the envelope ``[version, type, id, time_us, origin store, stream, refs, payload]`` in msgpack.

Stored bytes are never encoded again: what was written is what is hashed, copied and verified.
Longer envelopes and unknown payload fields, from newer versions, are tolerated.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgpack

from ..cas.digest import Digest
from ..errors import Invalid, LogCorrupt
from .catalogue import CATALOGUE, Event, Unknown
from .ids import EventId, StoreId

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
    except (ValueError, TypeError, KeyError, AttributeError, msgpack.UnpackException) as error:
        raise LogCorrupt(
            f"event {seq} can't be read: {error}", hint="Run `lineal verify`; restore the log from a copy.", seq=seq
        ) from error


def _restore(name: str, payload: dict[str, Any]) -> Event:
    kind = CATALOGUE.get(name)
    if kind is None:
        return Unknown(name, payload)
    converters = _converters(kind)
    return kind(**{field: convert(payload[field]) for field, convert in converters.items() if field in payload})


_FIELD_NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in CATALOGUE.values()}
_CONVERTERS: dict[type[Event], dict[str, Callable[[Any], Any]]] = {}


def _converters(kind: type[Event]) -> dict[str, Callable[[Any], Any]]:
    """What restores each field, worked out when the first event of the kind is read."""
    known = _CONVERTERS.get(kind)
    if known is None:
        hints = get_type_hints(kind)
        known = _CONVERTERS[kind] = {name: _converter(hints[name]) for name in _FIELD_NAMES[kind]}
    return known


def _converter(hint: Any) -> Callable[[Any], Any]:
    """What turns msgpack's form of a field into the field's type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (_converter(argument) for argument in arguments if argument is not type(None))
        return lambda raw: None if raw is None else inner(raw)
    if origin is tuple:
        item = _converter(arguments[0])
        return lambda raw: tuple([item(one) for one in raw])
    if isinstance(hint, type) and issubclass(hint, bytes) and hint is not bytes:
        return hint
    if isinstance(hint, type) and hasattr(hint, "_fields"):
        columns = [_converter(column) for column in get_type_hints(hint).values()]
        return lambda raw: hint(*[convert(one) for convert, one in zip(columns, raw, strict=False)])
    return lambda raw: raw
