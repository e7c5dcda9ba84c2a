"""What every event has."""

from __future__ import annotations

from collections import namedtuple
from typing import Any, ClassVar, dataclass_transform

from ...cas.digest import Digest
from .records import Input, Output


@dataclass_transform(frozen_default=True)
class _Kind(type):
    """Makes a type of event of its annotations, those with defaults last.

    An event is a tuple of its fields, which is what its payload is, so that it is made in one step and packed as it is.
    As frozen dataclasses with slots, forty types would take a third of the time in which the command line starts.
    """

    def __new__(mcs, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> _Kind:
        base: Any = bases[0]
        declared = [one for one, hint in space.get("__annotations__", {}).items() if not hint.startswith("ClassVar")]
        fields = (*getattr(base, "FIELDS", ()), *declared)
        defaults = (*getattr(base, "DEFAULTS", ()), *[space.pop(one) for one in declared if one in space])
        like: Any = namedtuple(name, fields, defaults=defaults)  # type: ignore[misc]
        space |= {one: getattr(like, one) for one in fields}
        if "run" in fields:
            space.setdefault("stream", space["run"])
        space |= {"__slots__": (), "__new__": like.__new__, "__match_args__": fields}
        space |= {"FIELDS": fields, "DEFAULTS": defaults}
        return super().__new__(mcs, name, bases, space)


class Event(tuple[Any, ...], metaclass=_Kind):
    """A fact. Subclasses are the closed catalogue; `Unknown` stands for what a newer version wrote."""

    TYPE: ClassVar[str] = ""
    """Name and schema version, as in ``run.started/1``."""
    FIELDS: ClassVar[tuple[str, ...]]
    """The names of its fields, in order."""
    DEFAULTS: ClassVar[tuple[Any, ...]]
    """The defaults of its last fields."""

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

    @property
    def stream(self) -> bytes:
        """What it belongs to: its run, or the fingerprint that it claims; empty for a fact of the store."""
        return b""

    @property
    def refs(self) -> tuple[Digest, ...]:
        """Content ids and blobs that must stay because of this event."""
        return ()

    @property
    def made(self) -> tuple[Output, ...]:
        """The artifact versions it gives."""
        return getattr(self, "outputs", ())


class Unknown(Event):
    """An event of a type or schema version that this version does not know, kept as it is."""

    type: str
    payload: Any


def literals(inputs: tuple[Input, ...]) -> tuple[Digest, ...]:
    """Contents that no other event holds: an artifact is held by what made it, a literal or an element by its use."""
    held, elements = [], []
    for taken in inputs:
        if taken.artifact is None:
            held.append(taken.content)
        if taken.element is not None:
            elements.append(taken.element.content)
    return (*held, *elements)
