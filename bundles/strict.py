"""Whether an event that somebody else wrote is what its type declares, down to the last field.

A log's own events are believed; those of a bundle may be made to make readers fail.
"""

from __future__ import annotations

import types
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from ..events.catalogue import Event

_TIME_MAX_US = 250_000_000_000_000_000
"""In the year 9892; what is later can't be shown as a date."""
_INT_MAX = 2**62
_NESTING_MAX = 32


def is_strict(event: Event) -> bool:
    """Whether every field is of its declared type, and every time is one that can be shown."""
    hints = _hints(type(event))
    pairs = zip(event.FIELDS, event, strict=True)
    return all(_fits(value, hints[name]) and (not name.endswith("_us") or _is_time(value)) for name, value in pairs)


def is_time(time_us: object) -> bool:
    """Whether a number of microseconds since the epoch can be shown as a date."""
    return type(time_us) is int and 0 <= time_us <= _TIME_MAX_US


def _is_time(value: Any) -> bool:
    return value is None or is_time(value)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return _is_plain(value, _NESTING_MAX)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in arguments)
    if origin is tuple:
        return isinstance(value, tuple | list) and all(_fits(one, arguments[0]) for one in value)
    if origin is dict:
        return type(value) is dict and all(
            _fits(name, arguments[0]) and _fits(one, arguments[1]) for name, one in value.items()
        )
    if hint is type(None):
        return value is None
    if hasattr(hint, "_fields"):
        inner = _hints(hint)
        return isinstance(value, hint) and all(
            _fits(one, inner[name]) for name, one in zip(hint._fields, value, strict=True)
        )
    if hint is int:
        return type(value) is int and abs(value) <= _INT_MAX
    return isinstance(value, hint) or (hint is float and type(value) is int and abs(value) <= _INT_MAX)


def _is_plain(value: Any, depth: int) -> bool:
    if isinstance(value, list | tuple):
        return depth > 0 and all(_is_plain(one, depth - 1) for one in value)
    if type(value) is dict:
        return depth > 0 and all(
            isinstance(name, str | bytes | int) and _is_plain(one, depth - 1) for name, one in value.items()
        )
    return value is None or isinstance(value, str | bytes | int | float | bool)
