"""What every event has."""

from __future__ import annotations

from typing import Any, ClassVar, Never, dataclass_transform

from ...cas.digest import Digest
from .records import Input, Output


@dataclass_transform(frozen_default=True)
class _Kind(type):
    """Makes a type of event of its annotations, those with defaults last.

    As frozen dataclasses with slots, forty types would take a third of the time in which the command line starts.
    """

    def __new__(mcs, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> _Kind:
        declared = [one for one, hint in space.get("__annotations__", {}).items() if not hint.startswith("ClassVar")]
        defaults = [space.pop(one) for one in declared if one in space]
        space["__slots__"] = tuple(declared)
        made: Any = super().__new__(mcs, name, bases, space)
        inherited = getattr(bases[0], "FIELDS", ()) if bases else ()
        made.FIELDS = (*inherited, *declared)
        setattr(made, "__match_args__", made.FIELDS)  # noqa: B010 — mypy takes an assignment for one in a class body
        made.DEFAULTS = (*(getattr(bases[0], "DEFAULTS", ()) if bases else ()), *defaults)
        made._setters = tuple(getattr(made, one).__set__ for one in made.FIELDS)
        kind: _Kind = made
        return kind


class Event(metaclass=_Kind):
    """A fact. Subclasses are the closed catalogue; `Unknown` stands for what a newer version wrote."""

    TYPE: ClassVar[str] = ""
    """Name and schema version, as in ``run.started/1``."""
    FIELDS: ClassVar[tuple[str, ...]]
    """The names of its fields, in order."""
    DEFAULTS: ClassVar[tuple[Any, ...]]
    """The defaults of its last fields."""
    _setters: ClassVar[tuple[Any, ...]]

    def __init__(self, *values: Any, **named: Any) -> None:
        setters = self._setters
        if named or len(values) != len(setters):
            values = self._completed(values, named)
        for set_, value in zip(setters, values, strict=True):
            set_(self, value)

    def _completed(self, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        names, defaults = self.FIELDS, self.DEFAULTS
        required = len(names) - len(defaults)
        if named:
            places = dict(zip(names[required:], defaults, strict=True)) | dict(zip(names, values, strict=False))
            unknown = named.keys() - names
            if unknown:
                raise TypeError(f"{type(self).__name__} has no field {min(unknown)!r}")
            places |= named
            values = tuple([places[name] for name in names if name in places])
        elif len(values) >= required:
            values = (*values, *defaults[len(values) - required :])
        if len(values) != len(names):
            raise TypeError(f"{type(self).__name__} has {len(names)} fields, not {len(values)}")
        return values

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self.FIELDS])

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"an event does not change: {name}")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"an event does not change: {name}")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), self._values()

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.FIELDS)
        return f"{type(self).__qualname__}({fields})"

    @property
    def stream(self) -> bytes:
        """What it belongs to: its run, or the fingerprint that it claims; empty for a fact of the store."""
        return getattr(self, "run", b"")

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
    """Contents that no other event holds: an artifact is held by what made it, a literal by its use."""
    return tuple([taken.content for taken in inputs if taken.artifact is None])
