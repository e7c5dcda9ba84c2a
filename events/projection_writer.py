"""Applies events to projections, inside one write transaction at a time."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING, NamedTuple

from .codec import Recorded
from .projections import Projection
from .rows import RowWriter
from .upcasts import UPCASTS

if TYPE_CHECKING:
    from .log import Changes


class Placed(NamedTuple):
    """A projection, and the database that its rows go to."""

    projection: Projection
    database: str


_Apply = Callable[[RowWriter, Recorded], None]


class ProjectionWriter:
    """Adds the rows of events."""

    def __init__(self, changes: Changes, placed: Iterable[Placed]) -> None:
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

    def go_on(self, changes: Changes) -> None:
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

    @property
    def stored_types(self) -> Container[bytes | None] | None:
        """What `type_of` says of the events that may make rows; None for all."""
        return None if self._of_all else {None, *(name.encode() for name in (*self._by_type, *UPCASTS))}

    def apply(self, recorded: Recorded) -> None:
        """Add the rows of one event."""
        place = recorded.seq.to_bytes(8, "big")
        for apply, rows in self._by_type.get(recorded.type, self._of_all):
            apply(rows.at(place), recorded)
