"""What every event has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ...cas.digest import Digest
from .records import Input, Output


@dataclass(frozen=True, slots=True)
class Event:
    """A fact. Subclasses are the closed catalogue; `Unknown` stands for what a newer version wrote."""

    TYPE: ClassVar[str] = ""
    """Name and schema version, as in ``run.started/1``."""

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


@dataclass(frozen=True, slots=True)
class Unknown(Event):
    """An event of a type or schema version that this version does not know, kept as it is."""

    type: str
    payload: Any


def literals(inputs: tuple[Input, ...]) -> tuple[Digest, ...]:
    """Contents that no other event holds: an artifact is held by what made it, a literal by its use."""
    return tuple([taken.content for taken in inputs if taken.artifact is None])
