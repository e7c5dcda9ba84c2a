"""Schemas: how each type of event lies in its payload, derived from the catalogue."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .catalogue import CATALOGUE, Event

_K = TypeVar("_K")
_MISSING: Any = object()
"""Where there is no default."""


class Schema:
    """One type of event: its fields in order, those at the end with defaults."""

    def __init__(self, kind: type[Event]) -> None:
        self._kind = kind
        self.names = kind.FIELDS
        self._width = len(self.names)
        self._defaults = (_MISSING,) * (self._width - len(kind.DEFAULTS)) + kind.DEFAULTS
        self._converters: list[tuple[int, Callable[[Any], Any]]] | None = None

    def fields(self, payload: list[Any]) -> Any:
        """The fields of a stored payload, by name: what an older version left out is filled in, what a newer one added
        left out.

        Raises:
            TypeError: It has too few.
        """
        if len(payload) != self._width:
            payload = [*payload[: self._width], *self._filling(len(payload))]
        return tuple.__new__(self._kind, payload)

    def _filling(self, start: int) -> tuple[Any, ...]:
        filling = self._defaults[start:]
        if _MISSING in filling:
            raise TypeError(f"{self._kind.TYPE} has {start} fields, too few")
        return filling

    def listed(self, payload: dict[str, Any]) -> list[Any]:
        """A payload by name as one in order. Raises `KeyError` if one is missing."""
        listed = []
        for name, default in zip(self.names, self._defaults, strict=True):
            if name not in payload and default is _MISSING:
                raise KeyError(name)
            listed.append(payload.get(name, default))
        return listed

    def event(self, stored: Any) -> Event:
        """The event of its fields, each of its declared type."""
        if self._converters is None:
            hints = get_type_hints(self._kind)
            self._converters = _needed((place, hints[name]) for place, name in enumerate(self.names))
        values = list(stored)
        for place, convert in self._converters:
            values[place] = convert(values[place])
        return tuple.__new__(self._kind, values)


SCHEMAS = {kind.TYPE: Schema(kind) for kind in CATALOGUE.values()}
"""By type and version."""


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
    """For a NamedTuple, stored as a list: columns that a newer version added are passed over, those that an older one
    had not take their defaults."""
    width = len(record._fields)
    columns = _needed(enumerate(get_type_hints(record).values()))

    def restored(raw: list[Any]) -> Any:
        values = raw[:width]
        for place, convert in columns:
            if place < len(values):
                values[place] = convert(values[place])
        return record(*values)

    return restored
