"""Applies events to projections, inside one write transaction at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..errors import LinealError, ProjectionFailed
from .codec import Recorded, type_of
from .log import CHAIN_BYTES
from .projections import Projection
from .rows import RowWriter
from .unopened import HEADS, LENGTH_BITS, LENGTH_PLACE, TYPE_PLACE, opened_in, unopened_in
from .upcasts import UPCASTS

if TYPE_CHECKING:
    from .log import Gathered


class Placed(NamedTuple):
    """A projection, and the database that its rows go to."""

    projection: Projection
    database: str


_Apply = Callable[[RowWriter, Recorded], None]


_Way = tuple[str | None, Sequence[tuple[_Apply, RowWriter]]]
"""The type of events that are left unopened, None for others; and what is done with them."""


class Folded(NamedTuple):
    """Events that were folded in."""

    upto: int
    """The last one; 0 if there were none."""
    size_bytes: int
    """How many bytes they have in the log."""


class ProjectionWriter:
    """Adds the rows of events."""

    def __init__(self, changes: Gathered, placed: Iterable[Placed]) -> None:
        """Write to these databases."""
        self._rows: dict[str, RowWriter] = {}
        of_all: list[tuple[_Apply, RowWriter]] = []
        by_type: dict[str, list[tuple[_Apply, RowWriter]]] = {}
        for projection, database in placed:
            rows = self._rows[projection.name] = RowWriter(changes, database)
            applied = projection.apply, rows
            if projection.events is None:
                of_all.append(applied)
            else:
                for event in projection.events:
                    by_type.setdefault(event.TYPE, []).append(applied)
        self._of_all = of_all
        self._by_type = {type_: [*some, *of_all] for type_, some in by_type.items()}
        self._by_head: dict[bytes, _Way] | None = None

    def go_on(self, changes: Gathered) -> None:
        """Turn to the next transaction, the first to change anything since the last one."""
        for rows in self._rows.values():
            rows.go_on(changes)

    @property
    def known_rows(self) -> int:
        """How many rows are held in memory for the transactions to come."""
        return sum(rows.known for rows in self._rows.values())

    def rows(self, name: str) -> RowWriter:
        """The rows of a projection, as the transaction sees them."""
        return self._rows[name]

    def fold(self, stored: Iterable[tuple[int, bytes]]) -> Folded:
        """Add the rows of events as the log has them, one after another.

        Raises:
            ProjectionFailed: An event can't be folded in; the rows of those before it are there.
        """
        if self._by_head is None:
            self._by_head = self._ways()
        way_of, seq, size_bytes = self._by_head.get, 0, 0
        for seq, row in stored:
            size_bytes += len(row)
            try:
                place = TYPE_PLACE + (row[LENGTH_PLACE] & LENGTH_BITS)
                way = way_of(row[CHAIN_BYTES:place])
                if way is None:
                    self._fold_other(seq, row)
                    continue
                type_, applied = way
                if applied:
                    recorded = opened_in(seq, row) if type_ is None else unopened_in(seq, row, type_, place)
                    stamp = seq.to_bytes(8, "big")
                    for apply, rows in applied:
                        apply(rows.at(stamp), recorded)
            except LinealError:
                raise
            except Exception as error:
                raise self._failed(opened_in(seq, row), error) from error
        return Folded(seq, size_bytes)

    def _failed(self, recorded: Recorded, error: Exception) -> ProjectionFailed:
        return ProjectionFailed(
            f"{', '.join(self._rows)} can't fold in event {recorded.seq}, {recorded.type}: "
            f"{type(error).__name__}: {error}",
            hint="Correct its apply; what it had made before is kept.",
            seq=recorded.seq,
        )

    def _ways(self) -> dict[bytes, _Way]:
        """What is done with the events of each head.

        Those that only projections of all types take are left unopened: these seldom look at fields.
        """
        by_type, of_all = self._by_type, self._of_all
        return {head: (None, by_type[type_]) if type_ in by_type else (type_, of_all) for head, type_ in HEADS.items()}

    def _fold_other(self, seq: int, row: bytes) -> None:
        """Add the rows of an event that is of a newer version, or of an older one."""
        stored_type = type_of(row, CHAIN_BYTES)
        type_ = None if stored_type is None else stored_type.decode(errors="replace")
        if self._of_all or type_ is None or type_ in self._by_type or type_ in UPCASTS:
            self.apply(opened_in(seq, row))

    def apply(self, recorded: Recorded) -> None:
        """Add the rows of one event."""
        self.apply_all((recorded,))

    def apply_all(self, recorded: Iterable[Recorded]) -> None:
        """Add the rows of events, in their order."""
        by_type, of_all = self._by_type, self._of_all
        for one in recorded:
            place = one.seq.to_bytes(8, "big")
            for apply, rows in by_type.get(one.type, of_all):
                apply(rows.at(place), one)
