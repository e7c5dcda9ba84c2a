"""One event of each type, made from nothing but its declared types: every field filled in, no two with one value."""

from __future__ import annotations

import types
import zlib
from typing import Any, Union, get_args, get_origin, get_type_hints

from lineal.cas import Digest, digest_of
from lineal.events.catalogue import Event, Input
from lineal.events.ids import EventId, RunId, StoreId

EVENT, ORIGIN, TIME_US = EventId(b"e" * 16), StoreId(b"o" * 16), 1_700_000_000_000_000
"""The rest of every sample's envelope."""


def sample_of(kind: type[Event], width: int | None = None) -> Event:
    """The sample of a type; or as it was when it had so many fields, the later ones at their defaults."""
    hints = get_type_hints(kind)
    names = kind.FIELDS[:width]
    return kind(**{name: _value(hints[name], name) for name in names})


def _value(hint: Any, path: str) -> Any:
    """A value of a type that no other path has, and the same in every process."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _value(arguments[0], path)
    if hint == tuple[Input, ...]:
        return (_literal(f"{path}.literal"), _value(Input, f"{path}.taken")._replace(literal=None))
    if origin is tuple:
        return tuple(_value(arguments[0], f"{path}.{number}") for number in range(2))
    if origin is dict:
        return {f"{path}.key": [1, 2.5, None, True, "ü"]}
    if hasattr(hint, "_fields"):
        # What a record has come to have since stays at its default: it is so in what was frozen before.
        columns = {name: inner for name, inner in get_type_hints(hint).items() if name not in hint._field_defaults}
        return hint(**{name: _value(inner, f"{path}.{name}") for name, inner in columns.items()})
    return _atom(hint, path)


def _literal(path: str) -> Input:
    return _value(Input, path)._replace(artifact=None)


def _atom(hint: Any, path: str) -> Any:
    number = zlib.crc32(path.encode())
    if hint is str:
        return path
    if hint is bool:
        return False
    if hint is int:
        return number
    if hint is float:
        return number / 8
    if hint is bytes or hint in (RunId, StoreId):
        return hint(digest_of(path.encode())[:16])
    assert issubclass(hint, Digest), f"{path} is of a type that has no sample: {hint}"
    return hint(digest_of(path.encode()))
