"""Events of types, or of versions of types, that only a newer version of Lineal knows: passed on as they are.

Their payload says nothing here. What is gone by is the envelope: of which run they are, and which digests they name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, Self

from ..events.catalogue import CATALOGUE, RunStarted, StoreCreated, Unknown
from ..events.codec import Recorded
from .kinds import ENDS, EXPORTED
from .strict import is_plain

_STREAM_BYTES = frozenset({0, 16})
"""Those of a store's own facts have none, those of a run its id."""
_PATTERN = re.compile(r"([a-z]+(?:[._-][a-z]+)*)/([1-9][0-9]{0,5})")
_TYPE_MAX = 100


class _Kind(NamedTuple):
    """A type of event, apart from its version."""

    name: str
    version: int

    @classmethod
    def of(cls, type_: object) -> Self | None:
        found = _PATTERN.fullmatch(type_) if isinstance(type_, str) and len(type_) <= _TYPE_MAX else None
        return None if found is None else cls(found[1], int(found[2]))


def _newest(types: Iterable[str]) -> dict[str, int]:
    return dict(sorted(filter(None, map(_Kind.of, types))))


_KNOWN, _EXPORTED, _ENDS, _BEGINNING = map(
    _newest, (CATALOGUE, EXPORTED - {StoreCreated.TYPE}, ENDS, [RunStarted.TYPE])
)
"""By the names of types, the newest versions that are known."""


def is_opaque(recorded: Recorded) -> bool:
    """Whether an event is of a type or a version that is not known here."""
    return recorded.fields is None


def is_passed_on(recorded: Recorded) -> bool:
    """Whether an opaque event may go along: not a newer version of what keeps a store in order."""
    kind = _Kind.of(recorded.type)
    if kind is None or len(recorded.stream) not in _STREAM_BYTES:
        return False
    return kind.name not in _KNOWN or (kind.name in _EXPORTED and kind.version > _KNOWN[kind.name])


def is_well_formed(recorded: Recorded) -> bool:
    """Whether what is there of an opaque event is what it has to be."""
    event = recorded.event
    return isinstance(recorded.stream, bytes) and isinstance(event, Unknown) and is_plain(event.payload)


def begins_run(recorded: Recorded) -> bool:
    """Whether an opaque event is a newer version of that which begins a run."""
    kind = _Kind.of(recorded.type)
    return kind is not None and kind.name in _BEGINNING


def ends_run(recorded: Recorded) -> bool:
    """Whether an opaque event is a newer version of one that ends a run."""
    kind = _Kind.of(recorded.type)
    return kind is not None and kind.name in _ENDS
