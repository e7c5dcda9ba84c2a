"""Which new events of a bundle are taken: all but those that would change what people have put on or named here.

It is asked under the write lock at last, and waits for nothing that somebody else submits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..events.catalogue import (
    AliasRemoved,
    AliasSet,
    Annotated,
    AnnotationsRemoved,
    RunRenamed,
    StoreCreated,
    Subject,
    Tagged,
    Untagged,
)
from ..events.codec import Recorded
from ..events.ids import RunId
from ..events.projections import Metadata, Names, Runs
from ..events.projections.metadata import note_key
from ..events.projections.names import tag_key
from ..events.projections.runs import RunRow
from ..events.rows import Stamped, key
from ..history import Trust
from ..history.labels import tags_of
from ..history.name_taking import run_called
from ..history.reader import ExclusiveReader
from ..store import Store

_LABELS = frozenset(one.TYPE for one in (AliasSet, AliasRemoved, Untagged, Annotated, AnnotationsRemoved))


def is_taken(store: Store, recorded: Recorded) -> bool:
    """Whether a new event is to be taken: the first of a store is not, nor what undoes a label that was set here, nor
    what calls a run otherwise that was named here, or as another one is called here."""
    if recorded.type == RunRenamed.TYPE:
        return _may_be_called(store, recorded.fields.run, recorded.fields.name)
    if recorded.type not in _LABELS:
        return recorded.type != StoreCreated.TYPE
    return not any(Trust(store).source(row.seq) is None for row in _undone(store, recorded))


def adds_tags(store: Store, recorded: Recorded) -> Subject | None:
    """What an event puts tags on that has others already, and not these; None for any other event."""
    if recorded.type != Tagged.TYPE:
        return None
    event: Any = recorded.event
    here = tags_of(ExclusiveReader(store), event.subject)
    return event.subject if here and not set(event.tags) <= set(here) else None


def _may_be_called(store: Store, run: RunId, name: str) -> bool:
    called = run_called(ExclusiveReader(store), name)
    return called == run or (called is None and not _is_named_here(store, run))


def _is_named_here(store: Store, run: RunId) -> bool:
    """Whether somebody has said here what a run is called."""
    rows = store.committed_rows(Runs.name)
    found = rows.latest(key("r", run))
    if found is None:
        return False
    given = rows.history(key("n", RunRow.of(found.row).name), newest_first=True)
    seq = next(seq for seq, (named,) in given if named == run)
    return store.log.get(seq).type == RunRenamed.TYPE and Trust(store).source(seq) is None


def _undone(store: Store, recorded: Recorded) -> Iterator[Stamped]:
    """The rows of labels that stand, and would not as they are after an event."""
    names, notes = store.committed_rows(Names.name), store.committed_rows(Metadata.name)
    event: Any = recorded.event
    if isinstance(event, AliasSet | AliasRemoved):
        found = names.latest(key("a", event.artifact, event.alias))
        if found is not None and found.row[1] is not None:
            yield found
    elif isinstance(event, Untagged):
        for tag in event.tags:
            found = names.latest(tag_key(event.subject, tag))
            if found is not None and found.row[0]:
                yield found
    elif isinstance(event, Annotated | AnnotationsRemoved):
        for name in event.keys if isinstance(event, AnnotationsRemoved) else event.values:
            found = notes.latest(note_key(event.subject, name))
            if found is not None and len(found.row) > 1:
                yield found
