"""What every event has."""

from __future__ import annotations

from typing import Any, ClassVar, dataclass_transform

from ...cas.digest import Digest
from ...immutable import Immutable, Kind
from .records import Input, Output


@dataclass_transform(frozen_default=True)
class _EventKind(Kind):
    """Makes a type of event: of a fact of a run, that run is the stream."""

    def __new__(mcs, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> _EventKind:
        kind: Any = super().__new__(mcs, name, bases, space)
        if "run" in kind.FIELDS and "stream" not in space:
            kind.stream = kind.run
        made: _EventKind = kind
        return made


class Event(Immutable, metaclass=_EventKind):
    """A fact. Subclasses are the closed catalogue; `Unknown` stands for what a newer version wrote.

    The tuple of its fields is what its payload is, so that it is packed as it is.
    """

    TYPE: ClassVar[str] = ""
    """Name and schema version, as in ``run.started/1``."""

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
    return (*held, *elements) if elements else tuple(held)
