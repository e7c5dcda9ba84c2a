"""One write transaction: what is appended to the log in it, and the rows that follow."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Generic, TypeVar

from .codec import Recorded
from .known import Known
from .log import Changes, LogWriter
from .positions import Positions
from .projector import Projector

_AT_ONCE_EVENTS = 200
"""So many are still in the processor's cache when their rows are made, and die before garbage is collected."""


class Learned:
    """What the transactions of this process have come to."""

    __slots__ = ("committed", "known")

    def __init__(self) -> None:
        """Nothing yet."""
        self.known = Known(0)
        self.committed = 0
        """The last event that this process committed."""


C = TypeVar("C", bound=Changes)


class TransactionWriter(Generic[C]):
    """Writes one transaction. It is of one thread."""

    __slots__ = ("_begun_seq", "_known", "_learned", "_positions", "changes", "found", "log", "projections")

    def __init__(self, changes: C, number: int, projector: Projector, learned: Learned) -> None:
        """Begin that of this number, with what those before have learned; `committed` says what this one has."""
        self.changes = changes
        self._learned = learned
        self._known = learned.known.after(number)
        learned.known = Known(0)
        self.found = self._known.blobs
        """Digests that are known to be in the catalog."""
        self.log = LogWriter(changes)
        self._begun_seq = self.log.head.seq
        self.projections = projector.writer(changes, self._known.projections)
        self._positions: Positions | None = None

    @property
    def positions(self) -> Positions:
        """Where events are; made for those who ask."""
        if self._positions is None:
            self._positions = Positions(self.changes)
        return self._positions

    def append(self, recorded: Iterable[Recorded]) -> None:
        """Append encoded events, which hear of their places, and add their rows."""
        seq, waiting = self.log.head.seq, iter(recorded)
        while some := list(islice(waiting, _AT_ONCE_EVENTS)):
            for one, chain in zip(some, self.log.extend([one.body for one in some]), strict=True):
                one.seq = seq = seq + 1
                one.chain = chain
            self.projections.apply_all(some)

    def flush(self) -> None:
        """Hand over what was gathered; the commit follows."""
        self.changes.flush()

    def committed(self) -> None:
        """Hear that the commit has succeeded."""
        if self.log.head.seq == self._begun_seq:
            self._known.number -= 1  # LMDB gives the number of what changed nothing to the next one, whoever that is.
        self._known.projections = self.projections
        self._learned.known = self._known
        self._learned.committed = self.log.head.seq
