"""Whether an event that somebody else wrote is what its type declares, down to the last field.

A log's own events are believed; those of a bundle may be made to make readers fail.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgpack

from ..events.catalogue import Event

_TIME_MAX_US = 250_000_000_000_000_000
"""In the year 9892; what is later can't be shown as a date."""
_INT_MAX = 2**62
_NESTING_MAX = 33
"""How deep values may be nested: annotations are 32 deep, beside what is empty there."""
_DEEPEST_FIELD = 8
"""How deep in an event a field that may be anything lies at most."""
_SINGLE = frozenset({type(None), bool, int, float, str, bytes})
_NESTED = frozenset({list, tuple, dict})
_KEYS = frozenset({bool, int, str, bytes})

Check = Callable[[Any], bool]


def is_strict(event: Event) -> bool:
    """Whether every field is of its declared type, and every time is one that can be shown."""
    return all(map(_called, _checks_of(type(event)), event))


def is_time(time_us: object) -> bool:
    """Whether a number of microseconds since the epoch can be shown as a date."""
    return type(time_us) is int and 0 <= time_us <= _TIME_MAX_US


def is_as_written(body: bytes) -> bool:
    """Whether an event's bytes are those that Lineal writes for what they say, in an envelope of the right types.

    So whoever reads it, by columns or whole, finds the same in it: msgpack has other forms for most values, and maps
    with a key twice; and extensions no reader knows.
    """
    envelope = msgpack.unpackb(body, strict_map_key=False, unicode_errors="surrogatepass")
    if type(envelope) is not list or not _is_plain(envelope, _NESTING_MAX + _DEEPEST_FIELD):
        return False
    version, _, id_, _, origin, _, refs, *_ = envelope
    is_typed = type(version) is int and type(id_) is type(origin) is bytes and type(refs) is list
    return is_typed and version >= 1 and bool(msgpack.packb(envelope, unicode_errors="surrogatepass") == body)


def is_plain(payload: object) -> bool:
    """Whether a payload of an unknown type is of plain values, nested no deeper than can be shown."""
    return _is_plain(payload, _NESTING_MAX)


def _called(check: Check, value: Any) -> bool:
    return check(value)


@cache
def _checks_of(kind: type[Event]) -> tuple[Check, ...]:
    """What the fields of an event are held against, in their order."""
    hints = get_type_hints(kind)
    return tuple(_time_like(hints[name]) if name.endswith("_us") else _check_of(hints[name]) for name in kind.FIELDS)


def _time_like(hint: Any) -> Check:
    fits = _check_of(hint)
    return lambda value: fits(value) and (value is None or is_time(value))


@cache
def _check_of(hint: Any) -> Check:
    """Whether a value is of a declared type: made once for each, since a bundle may have millions of values."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value: _is_plain(value, _NESTING_MAX)
    if origin in (Union, types.UnionType):
        any_of = tuple(map(_check_of, arguments))
        return lambda value: any(check(value) for check in any_of)
    if origin is tuple:
        of_each = _check_of(arguments[0])
        return lambda value: isinstance(value, tuple | list) and all(map(of_each, value))
    if origin is dict:
        of_name, of_value = map(_check_of, arguments)
        return lambda value: (
            type(value) is dict and all(map(of_name, value.keys())) and all(map(of_value, value.values()))
        )
    if hasattr(hint, "_fields"):
        return _record_like(hint)
    return _single_like(hint)


def _record_like(kind: Any) -> Check:
    hints = get_type_hints(kind)
    checks = tuple(_check_of(hints[name]) for name in kind._fields)
    return lambda value: isinstance(value, kind) and all(map(_called, checks, value))


def _single_like(kind: Any) -> Check:
    if kind is int:
        return _is_integer
    if kind is float:
        return lambda value: isinstance(value, float) or _is_integer(value)
    return lambda value: isinstance(value, kind)


def _is_integer(value: Any) -> bool:
    return type(value) is int and abs(value) <= _INT_MAX


def _is_plain(value: Any, depth: int) -> bool:
    """Whether a value is of plain ones, nested so deep at most. Level by level: a bundle may have many."""
    level = [value]
    for left in range(depth, -1, -1):
        inner: list[Any] = []
        for one in level:
            kind = type(one)  # Subclasses are not plain: msgpack's extensions are tuples.
            if kind in _SINGLE:
                continue
            if kind not in _NESTED or not left:
                return False
            if kind is dict:
                if not _KEYS.issuperset(map(type, one)):
                    return False
                one = one.values()
            inner += one
        level = inner
    return True
