"""The outlook of a run: steps that can begin are prepared and looked up many at a time, as long as all are served.

Invariant: what was looked up counts until something executes or is waited for, and not after: so each step is served
with what it would be served with if it were looked up in its turn.
"""

from __future__ import annotations

from collections.abc import Callable

from ...cas import Digest
from ...events.projections.cache import Reusable
from ...store import Store
from ..declaring.policy import Policy
from ..graph.agenda import Agenda
from ..graph.graph import Node
from ..graph.taking import Given
from ..graph.unfolding import Folded
from .cache import StepCache
from .preparing import Preparer, Ready

_WIDTH_FIRST, _WIDTH_MAX = 16, 256
"""How many steps are looked up at once at first, and at most; each time twice as many, until one is not served."""


class Outlook:
    """That of one run, for its thread alone."""

    def __init__(
        self,
        store: Store,
        agenda: Agenda,
        given: Given,
        cache: StepCache,
        preparer: Preparer,
        prepare: Callable[[Node], Ready],
    ) -> None:
        """Look at what is on an agenda; ``prepare`` prepares a step in its turn."""
        self._store = store
        self._agenda = agenda
        self._given = given
        self._cache = cache
        self._preparer = preparer
        self._prepare = prepare
        self._prepared: dict[str, Ready] = {}
        self._served: dict[str, Reusable] = {}
        """By step, what it is served with."""
        self._recorded: set[Digest] = set()
        """Of their receipts, those that say nothing new."""
        self._width = _WIDTH_FIRST

    def ready(self, node: Node) -> Ready:
        """A step whose turn it is; those that come next are looked up with it, unless that was done."""
        ready = self._prepared.pop(node.name, None)
        if ready is None:
            ready = self._prepare(node)
            if self._width > 1 and not self._prepared:
                self._look(ready)
                self._width = min(2 * self._width, _WIDTH_MAX)
        return ready

    def served(self, ready: Ready) -> Reusable | None:
        """What a step is served with, where that was looked up and counts; its receipts are then those that are new."""
        served = self._served.pop(ready.node.name, None)
        if served is not None and ready.blobs:
            ready.blobs = [blob for blob in ready.blobs if blob.digest not in self._recorded]
        return served

    def widen(self) -> None:
        """Hear that a step was served that was looked up alone."""
        self._width = max(self._width, 2)

    def narrow(self) -> None:
        """Hear that a step executes, or is waited for."""
        self._served.clear()
        self._width = 1

    def forget(self) -> None:
        """Hear that time has passed."""
        self._served.clear()

    def _look(self, first: Ready) -> None:
        for node in self._agenda.coming(self._width - 1):
            ready = None if isinstance(node, Folded) else self._preparer.prepared_ahead(node, self._given)
            if ready is None:
                break
            self._prepared[node.name] = ready
        if not self._prepared:
            return
        asked = [ready for ready in (first, *self._prepared.values()) if _takes_any(ready.policy)]
        found = self._cache.served_at_once([ready.fingerprint for ready in asked])
        served = [ready for ready in asked if ready.fingerprint in found]
        self._served = {ready.node.name: found[ready.fingerprint] for ready in served}
        # It was executed with equal literals, whose blobs are held as its results are, but for ignored ones.
        held = [ready for ready in served if not ready.node.step.options.ignore_inputs]
        self._recorded = self._store.blobs.recorded([blob for ready in held for blob in ready.blobs])


def _takes_any(policy: Policy) -> bool:
    """Whether a step under this policy takes a result, however old."""
    return policy.takes and policy.expires_after_us is None
