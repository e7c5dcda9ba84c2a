"""Recording changes: one commit each, of which the positions are told."""

from __future__ import annotations

from collections.abc import Sequence

from ..events.catalogue import Event
from ..in_force import recorded
from ..store import Store

SUBJECTS_MAX = 200
"""How many subjects one event names: it stays below 64 KiB."""


def record(store: Store, events: Sequence[Event], *types: str) -> tuple[int, ...]:
    """Append events in one commit, durable on return; give the positions of those of these types, or of all."""
    if not events:
        return ()
    placed = zip(events, recorded(store, events), strict=True)
    return tuple(place for event, place in placed if not types or event.TYPE in types)
