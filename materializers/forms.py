"""What records are made of: the form that values of one class come apart in, and what stands in for them.

Records themselves are in `records`; here is what those of other libraries need, too.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from ..errors import ManifestCorrupt
from .atoms import Atom

ENUM, TUPLE, FIELDS, MODEL, EXCEPTION, STAND_IN = range(80, 86)
"""The codes of records."""

NOT_BY_NAME = ("__main__", "__mp_main__")
_PICKLING = ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__")
_KNOWN_TO_PICKLE = ("attr._make", "dataclasses", "pydantic.main", "pydantic.root_model", "enum", "collections")
NOTHING: dict[str, Any] = {}


class ClassChangedWarning(UserWarning):
    """The class of a stored value is gone or has other fields, and something stands in for the value."""


class Record:
    """The fields of a value whose class was not to be imported; read-only. Fields are attributes and items alike."""

    __slots__ = ("_Record__fields", "_Record__type")

    def __init__(self, type_: str, fields: Mapping[str, Any]) -> None:
        """Stand in for a value of a type, which is written ``module:qualified.name``."""
        if type(type_) is not str or not all(type(name) is str for name in fields):
            raise ManifestCorrupt("a record has no type or a field without a name")
        object.__setattr__(self, "_Record__type", type_)
        object.__setattr__(self, "_Record__fields", dict(fields))

    def __getattr__(self, name: str) -> Any:
        fields = object.__getattribute__(self, "_Record__fields")
        try:
            return fields[name]
        except KeyError:
            raise AttributeError(f"the record of a {self.__type} has no field {name!r}") from None

    def __getitem__(self, name: str) -> Any:
        return self.__fields[name]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a record is read-only")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return contents_of(self) == contents_of(other)

    def __hash__(self) -> int:
        # Fields need not be hashable, though the value was.
        return hash((self.__type, *self.__fields))

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.__fields]

    def __reduce__(self) -> tuple[Any, ...]:
        return Record, (self.__type, self.__fields)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__fields.items())
        return f"<Record of {self.__type.replace(':', '.')}: {fields}>"


def contents_of(record: Record) -> tuple[str, dict[str, Any]]:
    """What a record stands in for: the type, as ``module:qualified.name``, and the fields."""
    type_, fields = record.__reduce__()[1]
    return type_, dict(fields)


class Form(Atom):
    """How records of one class come apart: an atom whose fields begin with the class's name."""

    __slots__ = ("defaults", "names", "slots")

    def __init__(
        self,
        code: int,
        kind: type,
        fields: Callable[[Any], Sequence[Any] | None],
        names: Sequence[str] = (),
        defaults: Mapping[str, Callable[[], Any]] = NOTHING,
    ) -> None:
        super().__init__(code, kind, fields, _never)
        self.names = names
        """The fields, in order."""
        self.defaults = defaults
        """What makes the value of a field that a stored record does not have."""
        self.slots = _slots(kind)

    def complete(self, fields: dict[str, Any]) -> dict[str, Any] | None:
        """The fields of a stored record with those that the class has got since; None if it has others."""
        if fields.keys() == set(self.names):
            return fields
        if not fields.keys() <= set(self.names):
            return None
        return {**fields, **{name: make() for name, make in self.defaults.items() if name not in fields}}


Find = Callable[[str], Form | None]
"""Imports the class of a name and gives its form, or None where there is none any more."""


def _never(*_: Any) -> Any:
    raise ManifestCorrupt("a record is made by its code alone")


def class_name(kind: type) -> str:
    """The name by which a class is found again."""
    return f"{kind.__module__}:{kind.__qualname__}"


def is_findable(kind: type) -> bool:
    """Whether the name of a class leads to it, in every process that can import its module."""
    module = kind.__module__
    if module in NOT_BY_NAME or "<locals>" in kind.__qualname__:
        return False
    found: Any = sys.modules.get(module)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is kind


def pickles_plainly(kind: type) -> bool:
    """Whether the author of a class left pickling to Python or to the library that made its fields."""
    methods = (getattr(kind, name, None) for name in _PICKLING)
    spaces = (getattr(method, "__globals__", None) for method in methods)
    return all(space is None or space.get("__name__") in _KNOWN_TO_PICKLE for space in spaces)


def stand_in(name: str, fields: Mapping[str, Any], find: Find | None) -> Record:
    """A record in place of a value; with a warning where its class was looked for."""
    warn_of_change(name, find)
    return Record(name, fields)


def warn_of_change(name: str, find: Find | None) -> None:
    """Say that a class is not what it was, where it was looked for."""
    if find is not None:
        warnings.warn(
            f"{name.replace(':', '.')} is gone or has other fields than a stored value of it, for which a stand-in is "
            "loaded",
            ClassChangedWarning,
            stacklevel=2,
        )


def _slots(kind: type) -> dict[str, Any]:
    """The descriptors of all attributes that are in slots."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        names = base.__dict__.get("__slots__", ())
        names = (names,) if isinstance(names, str) else tuple(names)
        found |= {name: base.__dict__.get(name) for name in names if name not in ("__dict__", "__weakref__")}
    return found


def cached_names(kind: type) -> set[str]:
    """Attributes that are computed from others when first asked for, and so are no part of a value."""
    return {name for base in kind.__mro__ for name, one in vars(base).items() if isinstance(one, cached_property)}
