"""Keeps the projections: applies events in the transaction that appends them, and replays the log where need be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .catalogue import Event
from .codec import Recorded
from .log import Database, Log
from .projections import PROJECTIONS, Projection
from .rows import RowWriter

if TYPE_CHECKING:
    import lmdb

META = "meta"
"""Database that holds the version of each projection's rows."""


class Projector:
    """The projections of one environment, opened with a database for each and `META`."""

    def __init__(self, environment: Database, log: Log, projections: Sequence[Projection] = PROJECTIONS) -> None:
        """Keep these projections of this log."""
        self._env = environment
        self._log = log
        self._projections = projections
        self._by_event: dict[type[Event], list[Projection]] = defaultdict(list)
        for projection in projections:
            for event in projection.events:
                self._by_event[event].append(projection)

    def apply(self, txn: lmdb.Transaction, recorded: Recorded) -> None:
        """Add the rows of one event."""
        for projection in self._by_event.get(type(recorded.event), ()):
            projection.apply(RowWriter(txn, self._env.databases[projection.name], recorded.seq), recorded)

    def outdated(self) -> list[Projection]:
        """The projections whose rows were made by another version of their code, or never."""
        with self._env.begin() as txn:
            meta = self._env.databases[META]
            return [one for one in self._projections if txn.get(_meta_key(one), db=meta) != _meta_value(one)]

    def rebuild(self, projections: Sequence[Projection] | None = None) -> None:
        """Delete the rows of some projections, or of all, and replay the log, in one transaction.

        Readers see the old rows until it is done. Cost: about 10 µs an event.
        """
        chosen = self._projections if projections is None else projections
        if not chosen:
            return
        with self._env.errors(), self._env.begin(write=True) as txn:
            for projection in chosen:
                txn.drop(self._env.databases[projection.name], delete=False)
            for recorded in self._log.scan():
                for projection in chosen:
                    if type(recorded.event) in projection.events:
                        projection.apply(RowWriter(txn, self._env.databases[projection.name], recorded.seq), recorded)
            for projection in chosen:
                txn.put(_meta_key(projection), _meta_value(projection), db=self._env.databases[META])


def _meta_key(projection: Projection) -> bytes:
    return b"projection/" + projection.name.encode()


def _meta_value(projection: Projection) -> bytes:
    return str(projection.version).encode()
