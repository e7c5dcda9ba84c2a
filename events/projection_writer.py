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


class _Way(NamedTuple):
    """What is done with events."""

    type: str
    applied: Sequence[tuple[_Apply, RowWriter]]
    is_unopened: bool


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

    def fold(self, stored: Iterable[tuple[int, bytes]]) -> int:
        """Add the rows of events as the log has them, one after another; give the position of the last, 0 for none.

        Raises:
            ProjectionFailed: An event can't be folded in; the rows of those before it are there.
        """
        if self._by_head is None:
            self._by_head = self._ways()
        by_head, seq, row = self._by_head, 0, b""
        try:
            for seq, row in stored:
                place = TYPE_PLACE + (row[LENGTH_PLACE] & LENGTH_BITS)
                way = by_head.get(row[CHAIN_BYTES:place])
                if way is None:
                    self._fold_other(seq, row)
                elif way.applied:
                    recorded = unopened_in(seq, row, way.type, place) if way.is_unopened else opened_in(seq, row)
                    stamp = seq.to_bytes(8, "big")
                    for apply, rows in way.applied:
                        apply(rows.at(stamp), recorded)
        except LinealError:
            raise
        except Exception as error:
            recorded = opened_in(seq, row)
            raise ProjectionFailed(
                f"{', '.join(self._rows)} can't fold in event {seq}, {recorded.type}: {type(error).__name__}: {error}",
                hint="Correct its apply; what it had made before is kept.",
                seq=seq,
            ) from error
        return seq

    def _ways(self) -> dict[bytes, _Way]:
        """What is done with the events of each head.

        Those that only projections of all types take are left unopened: these seldom look at fields.
        """
        by_type, of_all = self._by_type, self._of_all
        return {head: _Way(type_, by_type.get(type_, of_all), type_ not in by_type) for head, type_ in HEADS.items()}

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
