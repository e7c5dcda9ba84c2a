"""Trust: whether what came from another store may execute code here, and whether results of there are reused.

It follows the log: the events of an import are a stretch of it, and what is trusted of a store are the stretches that
came from it before somebody said so. So a later import that only claims to be of that store is not trusted with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..cas.digest import Digest
from ..cas.manifest import Manifest
from ..events.catalogue import (
    ArtifactSaved,
    ContentRecomputed,
    RunStarted,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from ..events.ids import StoreId
from ..events.projections import Imports, References
from ..events.rows import RowReader, Stamped, key
from ..store import Store

_MADE_BY = frozenset(
    one.TYPE for one in (ArtifactSaved, ContentRecomputed, RunStarted, StepCompleted, StepFailed, StepStarted)
)
"""The types of event whose contents this store has made itself, where they are its own."""
_EVER = key("i")


class Imported(NamedTuple):
    """What came from another store, at once or in several imports."""

    store: StoreId
    events: int
    imports: int
    is_trusted: bool
    """Whether all of it is."""


class Trust:
    """What is trusted now, whatever a view is as of; or, to tell why something was, what was trusted then."""

    def __init__(self, store: Store, upto: int | None = None) -> None:
        """Look it up in this store at each question, since others may import, trust and revoke; or as of a position."""
        self._store = store
        self._rows = store.committed_rows(Imports.name) if upto is None else store.rows(Imports.name, upto)

    @property
    def is_needed(self) -> bool:
        """Whether anything was ever imported: where nothing was, everything is trusted."""
        return bool(self._rows.keys(_EVER, 1))

    def source(self, seq: int) -> StoreId | None:
        """The store that the event at a position came from; None if it is of this one."""
        found = self._import_of(seq)
        return None if found is None else found[1]

    def doubted_source(self, seq: int) -> StoreId | None:
        """The store that the event at a position came from, where that is not trusted; None for any other."""
        found = self._import_of(seq)
        return None if found is None or self._is_trusted(found[1], found[0]) else found[1]

    def newest(self, rows: RowReader, row_key: bytes) -> Stamped | None:
        """A key's newest row that is of no doubted source; where all are, the newest of those."""
        if not self.is_needed:
            return rows.latest(row_key)
        found = rows.history(row_key, newest_first=True)
        return next((row for row in found if self.doubted_source(row.seq) is None), None) or rows.latest(row_key)

    def allows(self, contents: Iterable[Digest]) -> bool:
        """Whether these contents may execute code where that takes it.

        Each must have been made by this store or by one that is trusted. What no event tells the maker of is not.
        """
        return not self.is_needed or all(map(self._has_maker, contents))

    def _has_maker(self, content: Digest) -> bool:
        named = self._store.rows(References.name).history(key("r", content), newest_first=True)
        return any(self._vouches(seq) for seq, _ in named)

    def _vouches(self, seq: int) -> bool:
        """Whether the event at a position, which names a content, says that it can be trusted."""
        found = self._import_of(seq)
        return self._store.log.get(seq).type in _MADE_BY if found is None else self._is_trusted(found[1], found[0])

    def _import_of(self, seq: int) -> tuple[int, StoreId] | None:
        """Where the import begins that brought the event at a position, and where that came from."""
        last = self._store.committed_rows(Imports.name, seq - 1).latest(_EVER)
        if last is None:
            return None
        begin, (store, events) = last
        return (begin, StoreId(store)) if seq <= begin + events else None

    def imported(self) -> Iterator[Imported]:
        """What was imported, by store, in the order of the first import from each."""
        found: dict[StoreId, Imported] = {}
        for begin, (raw, events) in self._rows.history(_EVER):
            store = StoreId(raw)
            known = found.get(store, Imported(store, 0, 0, True))
            is_trusted = known.is_trusted and self._is_trusted(store, begin)
            found[store] = Imported(store, known.events + events, known.imports + 1, is_trusted)
        return iter(found.values())

    def _is_trusted(self, store: bytes, begin: int) -> bool:
        said = self._rows.latest(key("t", bytes(store)))
        return said is not None and said.row and begin < said.seq


def may_execute(store: Store, manifest: Manifest, *, allow_pickle: bool) -> bool:
    """Whether a value may execute code to be loaded: where that is allowed at all, and its maker is trusted.

    Nobody's trust is asked for where a small value is of built-in types alone.
    """
    from ..materializers import is_plain_alone

    if not allow_pickle or is_plain_alone(manifest):
        return allow_pickle
    return Trust(store).allows([manifest.digest])
