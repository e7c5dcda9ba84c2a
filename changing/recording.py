"""Recording changes: one commit each, of which the positions are told."""

from __future__ import annotations

from collections.abc import Sequence

from ..events.catalogue import Event
from ..events.elsewhere import commit_of
from ..history.name_taking import gives_names, require_free
from ..history.reader import ExclusiveReader
from ..in_force import recorded
from ..store import Store

SUBJECTS_MAX = 200
"""How many subjects one event names: it stays below 64 KiB."""


def record(store: Store, events: Sequence[Event], *types: str) -> tuple[int, ...]:
    """Append events in one commit, durable on return; give the positions of those of these types, or of all.

    Others may commit between the decision on the events and their own commit. Whether a name is free is looked at once
    more under the write lock, so that the first of two who want it is the one; of a step in another process than its
    run's by the process that commits.

    Raises:
        Conflict: A name is taken.
    """
    if not events:
        return ()
    if commit_of(store.path) is None and gives_names(events):
        with store.exclusively() as changes:
            require_free(ExclusiveReader(store), events)
            places: Sequence[int] = store.append_within(changes, events)
    else:
        places = recorded(store, events)
    placed = zip(events, places, strict=True)
    return tuple(place for event, place in placed if not types or event.TYPE in types)
