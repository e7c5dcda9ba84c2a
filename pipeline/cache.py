"""The cache decision: which earlier step run a fingerprint can be served from."""

from __future__ import annotations

from ..cas.digest import Digest
from ..events.catalogue import StepCompleted
from ..events.ids import Fingerprint
from ..events.projections import Cache
from ..events.projections.cache import Reusable
from ..events.rows import key
from ..store import Store


class StepCache:
    """Looks up fingerprints, in what is committed and in what this run has on its way.

    Invariant: a hit is served only if all its bytes are there; so a lost blob costs an execution, never a wrong answer.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = store.committed_rows(Cache.name)
        self._on_their_way: dict[Fingerprint, Reusable] = {}

    def announce(self, fingerprint: Fingerprint, completed: Reusable) -> None:
        """Let later steps of the run find what is not committed yet."""
        self._on_their_way[fingerprint] = completed

    def find(self, fingerprint: Fingerprint) -> Reusable | None:
        """The newest step run of this fingerprint whose outputs can all be loaded."""
        found = self._on_their_way.get(fingerprint) or self._committed(fingerprint)
        if found is None or not all(self._holds(output.content) for output in found.outputs):
            return None
        return found

    def _committed(self, fingerprint: Fingerprint) -> Reusable | None:
        found = self._rows.latest(key("f", fingerprint))
        if found is None:
            return None
        event = self._store.log.get(found.seq).event
        assert isinstance(event, StepCompleted)
        return Reusable.of(event)

    def _holds(self, content: Digest) -> bool:
        return self._store.blobs.holds(content)
