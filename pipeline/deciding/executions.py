"""Executions by their positions in a log: what one gave is there for ever, so that it is read and decoded once."""

from __future__ import annotations

from collections import deque
from weakref import WeakKeyDictionary

from ...events.committer import Ticket
from ...events.projections.cache import Reusable
from ...history import execution_at
from ...store import Store

_REMEMBERED_MAX = 16_384


class Executions:
    """What executions in one log gave. Threads may share it.

    It says nothing of which of them is the newest, nor of whether their bytes are still there.
    """

    def __init__(self, store: Store) -> None:
        """Know none yet."""
        self._log = store.log
        self._known: dict[int, Reusable] = {}
        self._coming: deque[tuple[Ticket, Reusable]] = deque()
        """What this process executed and submitted, in that order; the completion is the first event of each."""

    def expect(self, completed: Reusable, ticket: Ticket) -> None:
        """Hear what an execution gave that is on its way into the log, as the first event of a submission."""
        self._coming.append((ticket, completed))
        self._take_in()

    def at(self, seq: int) -> Reusable:
        """What the execution at a position gave that a row of `Cache` names."""
        known = self._known.get(seq)
        if known is None:
            self._take_in()
            known = self._known.get(seq)
            if known is None:
                known = Reusable.of(execution_at(self._log, seq))
                self._remember(seq, known)
        return known

    def _take_in(self) -> None:
        """Remember what has arrived by now."""
        while self._coming:
            try:
                first = self._coming.popleft()
            except IndexError:  # Another thread has taken it.
                return
            ticket, completed = first
            if not ticket.done:
                self._coming.appendleft(first)
                return
            if ticket.error is None:
                self._remember(ticket.places[0], completed)

    def _remember(self, seq: int, known: Reusable) -> None:
        if len(self._known) >= _REMEMBERED_MAX:
            self._known.clear()
        self._known[seq] = known


_executions: WeakKeyDictionary[Store, Executions] = WeakKeyDictionary()


def executions_of(store: Store) -> Executions:
    """Those of a store's log that this process has met."""
    found = _executions.get(store)
    if found is None:
        found = _executions.setdefault(store, Executions(store))
        store.until_closed.callback(_executions.pop, store, None)  # What is coming refers to the store.
    return found
