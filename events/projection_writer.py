"""Applies events to projections, inside one write transaction at a time."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING, NamedTuple

from ..errors import LinealError, ProjectionFailed
from .codec import Recorded, decode, type_of
from .log import CHAIN_BYTES
from .projections import Projection
from .rows import RowWriter
from .upcasts import UPCASTS

if TYPE_CHECKING:
    from .log import Gathered


class Placed(NamedTuple):
    """A projection, and the database that its rows go to."""

    projection: Projection
    database: str


_Apply = Callable[[RowWriter, Recorded], None]


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
        """Add the rows of events as they are stored, one after another; give the position of the last, 0 for none.

        Raises:
            ProjectionFailed: An event can't be folded in; the rows of those before it are there.
        """
        takes, seq = self._stored_types, 0
        for seq, value in stored:
            if takes is None or type_of(value, CHAIN_BYTES) in takes:
                recorded = decode(seq, value[:CHAIN_BYTES], value[CHAIN_BYTES:])
                try:
                    self.apply(recorded)
                except LinealError:
                    raise
                except Exception as error:
                    raise ProjectionFailed(
                        f"{', '.join(self._rows)} can't fold in event {seq}, {recorded.type}: "
                        f"{type(error).__name__}: {error}",
                        hint="Correct its apply; what it had made before is kept.",
                        seq=seq,
                    ) from error
        return seq

    @property
    def _stored_types(self) -> Container[bytes | None] | None:
        """What `type_of` says of the events that may make rows; None for all."""
        return None if self._of_all else {None, *(name.encode() for name in (*self._by_type, *UPCASTS))}

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
