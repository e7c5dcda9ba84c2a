"""Keeps the projections: applies events in the transaction that appends them, catches up behind, and replays the log.

Invariant: rows in force are those of a whole fold up to where they stand. A rebuild goes to a projection's other
database, piece by piece, while writers go on; the transaction that folds in the last piece puts it in force.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from ..errors import StoreBroken
from .gathered_rows import GatheredRows
from .log import Changes, Database, Log
from .projection_writer import Placed, ProjectionWriter
from .projections import BEHIND, KEPT, Projection
from .replay import Replay
from .standing import (
    META,
    Standing,
    database_of,
    databases_of,
    decode_standing,
    encode_standing,
    shadow_key,
    standing_in,
    standing_key,
)
from .tail import Tail

if TYPE_CHECKING:
    import lmdb

_PIECE_EVENTS = 10_000
"""How many events' rows are put before writers are let in. Of fewer events, each commit changes as many pages."""
_PIECE_BYTES = 64 * 1024 * 1024
"""Of how many bytes of events likewise; `_GATHERED_EVENTS` more at most. In memory their rows may have as many."""
_PAUSE_S = 0.0005
"""How long a projection that is caught up waits before it writes again: others would not get there first."""
_LAST_EVENTS = 1000
"""How many events a rebuild folds at most while writers wait, unless they append half as fast as it goes on."""
_GATHERED_EVENTS = 1000
"""By how many events a rebuild hands rows to LMDB: gathered for longer they take more memory, and no less time."""
_BUSY_LAG = 10
"""How many times what it may lack a projection that is kept behind lacks at most while events come without a pause."""


class _Followed(NamedTuple):
    """A tail, and what goes on with it: that knows which rows it has made."""

    standing: Standing | None
    """Of the rows that it follows."""
    tail: Tail
    writer: ProjectionWriter


class Projector:
    """The projections of one environment, opened with the `databases_of` each and `META`."""

    def __init__(
        self,
        environment: Database,
        log: Log,
        gather: Callable[[lmdb.Transaction], Changes],
        kept: Sequence[Projection] = KEPT,
        behind: Sequence[Projection] = BEHIND,
    ) -> None:
        """Keep these projections of this log; ``gather`` makes the changes of a write transaction."""
        self._env = environment
        self._log = log
        self._gather = gather
        self._kept = tuple(kept)
        self._behind: Mapping[str, Projection] = {one.name: one for one in behind}
        self._tails: dict[str, _Followed] = {}
        self._tailing = threading.RLock()

    def writer(self, changes: Changes, earlier: ProjectionWriter | None = None) -> ProjectionWriter:
        """Start to keep the projections in a write transaction.

        ``earlier`` is the writer of the transaction before this one, if nobody else's came between: it goes on.

        Raises:
            StoreBroken: Another version of the code keeps them by now.
        """
        if earlier is not None:
            earlier.go_on(changes)
            return earlier
        placed = []
        for projection in self._kept:
            standing = self._standing(changes, projection)
            if standing is None or standing.version != projection.version:
                raise StoreBroken(
                    f"another version of Lineal keeps the index {projection.name!r} now",
                    hint="Close the store and open it again, with the newer of the two.",
                )
            placed.append(Placed(projection, standing.database))
        return ProjectionWriter(changes, placed)

    def _standing(self, changes: Changes, projection: Projection) -> Standing | None:
        return decode_standing(changes.get(META, standing_key(projection.name)))

    def outdated(self) -> list[Projection]:
        """The projections whose rows were made by another version of their code, or never."""
        with self._env.begin() as txn:
            found = [(one, standing_in(txn, self._env.databases, one.name)) for one in self._all]
        return [one for one, standing in found if standing is None or standing.version != one.version]

    @property
    def _all(self) -> tuple[Projection, ...]:
        return (*self._kept, *self._behind.values())

    def rebuild(self, projections: Sequence[Projection] | None = None) -> None:
        """Replay the log into new rows for some projections, or for all, and put them in force in one transaction.

        Readers see the old rows until then. One rebuild at a time; it takes the place of one that was cut short.
        Cost: about 20 µs an event, whatever the log's length; others write meanwhile.
        """
        chosen = self._all if projections is None else projections
        if chosen:
            replay = Replay(self._env, self._log, self._empty_shadows(chosen))
            lacked = done = self._log.head().seq
            replay.fill(0, done)
            while _LAST_EVENTS < (lacking := self._log.head().seq - done) < lacked // 2:
                replay.fill(done, done + lacking)
                done, lacked = done + lacking, lacking
            upto: int | None = done
            while upto is not None:
                upto = self._fold_piece(chosen, upto)

    def _empty_shadows(self, chosen: Sequence[Projection]) -> list[Placed]:
        """Say that a rebuild is under way, before there are rows that `clear_shadows` would have to clear."""
        with self._env.begin(write=True) as txn:
            changes = self._gather(txn)
            shadows = [Placed(projection, self._shadow(changes, projection)) for projection in chosen]
            for projection, database in shadows:
                txn.drop(self._env.databases[database], delete=False)
                self._say(changes, projection, database, 0, False)
            changes.flush()
        return shadows

    def _fold_piece(self, chosen: Sequence[Projection], after: int) -> int | None:
        """Fold what was appended meanwhile into the shadows; tell how far, or None once they are in force."""
        with self._env.begin(write=True) as txn:
            changes = self._gather(txn)
            shadows = [Placed(projection, self._shadow(changes, projection)) for projection in chosen]
            upto, is_all = self._fold(ProjectionWriter(changes, shadows), after, flush=changes.flush)
            for projection, database in shadows:
                self._say(changes, projection, database, upto, is_all)
            changes.flush()
            if is_all:
                for projection, database in shadows:
                    (other,) = set(databases_of(projection.name)) - {database}
                    txn.drop(self._env.databases[other], delete=False)
        return None if is_all else upto

    def _shadow(self, changes: Changes, projection: Projection) -> str:
        """The database that is not in force."""
        standing = self._standing(changes, projection)
        first, second = databases_of(projection.name)
        return second if standing is not None and standing.database == first else first

    def _say(self, changes: Changes, projection: Projection, database: str, upto: int, is_all: bool) -> None:
        shadow = shadow_key(projection.name)
        if is_all:
            kept_upto = upto if projection.name in self._behind else None
            standing = Standing(projection.version, database, kept_upto)
            changes.put(META, standing_key(projection.name), encode_standing(standing))
            changes.delete(META, shadow)
        else:
            changes.put(META, shadow, encode_standing(Standing(projection.version, database, upto)))

    def _fold(
        self, writer: ProjectionWriter, after: int, end: int = sys.maxsize, flush: Callable[[], None] | None = None
    ) -> tuple[int, bool]:
        """Fold a piece of the log, up to an event at most; tell its last event, and whether it is the log's."""
        events, upto, size_bytes = self._log.stored(after), after, 0
        end = min(end, after + _PIECE_EVENTS)
        while upto < end and size_bytes < _PIECE_BYTES:
            some_end = min(upto + _GATHERED_EVENTS, end)
            folded = writer.fold(islice(events, some_end - upto))
            upto, size_bytes = folded.upto or upto, size_bytes + folded.size_bytes
            if flush is not None:
                flush()
            if upto < some_end:
                return upto, True
        return upto, False

    def catch_up(self, *names: str) -> None:
        """Fold what was appended since into projections that are kept behind; others are as they are.

        Cost: about 3 µs an event for each of them. Others write meanwhile: events are folded outside of any transaction
        that writes, and each projection's rows of a piece go in one of their own, which keeps the others waiting for
        less than 0.1 s.
        """
        projections = [self._behind[name] for name in names if self.lag(name)]
        while projections and not self._catch_up_piece(projections):
            time.sleep(_PAUSE_S)

    def _catch_up_piece(self, projections: Sequence[Projection]) -> bool:
        """Fold the next events into those that lack most; tell whether none lacks any more."""
        with self._env.begin() as txn:
            lacking: dict[int, list[tuple[Projection, Standing]]] = {}
            for one in projections:
                standing = standing_in(txn, self._env.databases, one.name)
                if _is_followed(standing, one):
                    lacking.setdefault(_upto_of(standing), []).append((one, standing))
            if not lacking:
                return True
            after, *others = sorted(lacking)
            chosen = lacking[after]
            piece = GatheredRows(self._env, txn)
            writer = ProjectionWriter(piece, [Placed(one, standing.database) for one, standing in chosen])
            upto, is_all = self._fold(writer, after, others[0] if others else sys.maxsize)
        if upto == after:
            return True  # It was the end: somebody else was here, or a piece ended there.
        for number, (one, standing) in enumerate(chosen):
            if number:
                time.sleep(_PAUSE_S)
            rows = piece.gathered(standing.database)
            keys = sorted(rows)  # While nobody waits.
            is_all &= self._put(one, standing, dict(zip(keys, map(rows.__getitem__, keys), strict=True)), upto)
        return is_all

    def _put(self, projection: Projection, before: Standing, rows: Mapping[bytes, bytes], upto: int) -> bool:
        """Put the rows of the events after a standing, if it is still that; tell whether it was."""
        with self._env.begin(write=True) as txn:
            changes = self._gather(txn)
            if self._standing(changes, projection) != before:
                return False
            changes.gathered(before.database).update(rows)
            changes.put(META, standing_key(projection.name), encode_standing(before._replace(upto=upto)))
            changes.flush()
        return True

    def limit_lag(self, appended: int, *, is_idle: bool) -> bool:
        """Catch up those that lack more events than they may, or, while others are busy, a multiple of them: a piece.

        Or as many as keep pace with what was appended. Each is of one projection: who commits next waits for no more.
        Tells whether there may be more to do.
        """
        factor = 1 if is_idle else _BUSY_LAG
        for _ in range(1 + appended * len(self._behind) // _PIECE_EVENTS):
            lagging = self._lagging(factor)
            if not lagging:
                return False
            self._catch_up_piece(lagging[:1])
        return True

    def _lagging(self, factor: int) -> list[Projection]:
        """Those that lack more than so many times what they may, and can be caught up; the last first."""
        head, lags = self._log.head().seq, {}
        with self._env.begin() as txn:
            for one in self._behind.values():
                standing = standing_in(txn, self._env.databases, one.name)
                if one.lag_max is not None and _is_followed(standing, one):
                    lags[one] = head - _upto_of(standing) - factor * one.lag_max
        return sorted((one for one, excess in lags.items() if excess > 0), key=lags.__getitem__, reverse=True)

    def tail(self, name: str) -> Tail:
        """The rows that catching up would add to a projection that is kept behind; gone on with while nobody does.

        Its `apply` may ask of a row only whether there is one.
        """
        with self._tailing, self._env.begin() as txn:
            standing = standing_in(txn, self._env.databases, name)
            followed = self._tails.pop(name, None)  # What an error leaves unfinished is begun anew.
            rows = GatheredRows(self._env, txn)
            database = database_of(txn, self._env.databases, name)
            if followed is None or followed.standing != standing:  # Memory holds what is not stored, and no more.
                writer = ProjectionWriter(rows, [Placed(self._behind[name], database)])
                followed = _Followed(standing, Tail(_upto_of(standing)), writer)
            _, tail, writer = followed
            writer.go_on(rows)
            upto = tail.upto
            for recorded in self._log.scan(upto):
                writer.apply(recorded)
                upto = recorded.seq
            tail.add(rows.gathered(database), upto)
            writer.go_on(GatheredRows(self._env))  # It need not hold what the tail has.
            self._tails[name] = followed
            return tail

    def lag(self, name: str) -> int:
        """How many events a projection that is kept behind has not folded in; 0 for any other."""
        if name not in self._behind:
            return 0
        return self._log.head().seq - self.upto(name)

    def upto(self, name: str) -> int:
        """The last event that a projection that is kept behind has folded in."""
        with self._env.begin() as txn:
            return _upto_of(standing_in(txn, self._env.databases, name))

    def clear_shadows(self) -> None:
        """Drop what rebuilds left that were cut short; none may be under way."""
        with self._env.begin() as txn:
            meta = self._env.databases[META]
            left = [one for one in self._all if txn.get(shadow_key(one.name), db=meta) is not None]
        if left:
            with self._env.begin(write=True) as txn:
                changes = self._gather(txn)
                for projection in left:
                    txn.drop(self._env.databases[self._shadow(changes, projection)], delete=False)
                    changes.delete(META, shadow_key(projection.name))
                changes.flush()


def _is_followed(standing: Standing | None, projection: Projection) -> TypeGuard[Standing]:
    """Whether rows in force are those of a projection that is kept behind; else it is being rebuilt."""
    return standing is not None and standing.version == projection.version and standing.upto is not None


def _upto_of(standing: Standing | None) -> int:
    return 0 if standing is None or standing.upto is None else standing.upto
