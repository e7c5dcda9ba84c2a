"""Recording changes: one commit each, of which the positions are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..events.catalogue import Event
from ..events.elsewhere import commit_of
from ..history.reader import ExclusiveReader, Reader
from ..in_force import recorded
from ..store import Store

SUBJECTS_MAX = 200
"""How many subjects one event names: it stays below 64 KiB."""


def record(
    store: Store, events: Sequence[Event], *types: str, refuse: Callable[[Reader], None] | None = None
) -> tuple[int, ...]:
    """Append events in one commit, durable on return; give the positions of those of these types, or of all.

    Others may commit between the decision on the events and their own commit. What must not have come between makes
    ``refuse`` raise: it looks at the record under the write lock, so that the first of two who decide alike is the one.
    A step in another process than its run's has its events committed there, without that.
    """
    if not events:
        return ()
    if refuse is None or commit_of(store.path) is not None:
        places = recorded(store, events)
    else:
        with store.exclusively() as changes:
            refuse(ExclusiveReader(store))
            places = store.append_within(changes, events)
    placed = zip(events, places, strict=True)
    return tuple(place for event, place in placed if not types or event.TYPE in types)
