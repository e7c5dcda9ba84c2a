"""Immutable: values with named fields, made as fast as tuples and declared as dataclasses are."""

from __future__ import annotations

from collections import namedtuple
from functools import cached_property
from typing import Any, ClassVar, Self, dataclass_transform


@dataclass_transform(frozen_default=True)
class Kind(type):
    """Makes a type of its annotations, those with defaults last.

    As frozen dataclasses, the types that the command line needs would take a third of the time in which it starts:
    each compiles a handful of methods, and the first one imports the inspection of source code.
    """

    def __new__(mcs, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> Kind:
        base: Any = bases[0]
        hints = space.get("__annotations__", {})
        declared = [one for one, hint in hints.items() if not hint.startswith("ClassVar")]
        fields = (*getattr(base, "FIELDS", ()), *declared)
        defaults = (*getattr(base, "DEFAULTS", ()), *[space.pop(one) for one in declared if one in space])
        like: Any = namedtuple(name, fields, defaults=defaults)  # type: ignore[misc]
        space |= {one: getattr(like, one) for one in fields}
        if not any(isinstance(one, cached_property) for one in space.values()):
            space["__slots__"] = ()
        space |= {"__new__": like.__new__, "__match_args__": fields, "FIELDS": fields, "DEFAULTS": defaults}
        return super().__new__(mcs, name, bases, space)


class Immutable(tuple[Any, ...], metaclass=Kind):
    """A value that never changes. It equals what is of its very type with equal fields, and nothing else.

    It is the tuple of its fields, so that it is made in one step.
    """

    FIELDS: ClassVar[tuple[str, ...]]
    """The names of its fields, in order."""
    DEFAULTS: ClassVar[tuple[Any, ...]]
    """The defaults of its last fields."""

    def replaced(self, **changes: Any) -> Self:
        """The same with other values for some fields.

        Raises:
            TypeError: A field is unknown.
        """
        return type(self)(**{**dict(zip(self.FIELDS, self, strict=True)), **changes})

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((type(self), tuple(self)))

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), tuple(self)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in zip(self.FIELDS, self, strict=True))
        return f"{type(self).__qualname__}({fields})"
