"""Comparison of the projections that are kept with those that a replay of the log gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .log import Database
from .projections import PROJECTIONS, Projection
from .rows import STAMP_BYTES
from .standing import database_of, standing_in

_PAGE_ROWS = 1000


class Difference(NamedTuple):
    """A projection that is not what the log says."""

    projection: str
    rows: int
    """How many are missing, others, or too many."""


def differences(
    kept: Database, replayed: Database, upto: int, projections: Iterable[Projection] = PROJECTIONS
) -> Iterator[Difference]:
    """Compare row by row what was made by events up to one; the two may go on beyond it. Memory is constant."""
    for projection in projections:
        limit = min(upto, _upto(kept, projection.name, upto), _upto(replayed, projection.name, upto))
        rows = _count(_rows(kept, projection.name, limit), _rows(replayed, projection.name, limit))
        if rows:
            yield Difference(projection.name, rows)


def _upto(database: Database, name: str, otherwise: int) -> int:
    """How far a projection goes that is kept behind."""
    with database.begin() as txn:
        standing = standing_in(txn, database.databases, name)
    return otherwise if standing is None or standing.upto is None else standing.upto


def _count(ours: Iterator[tuple[bytes, bytes]], theirs: Iterator[tuple[bytes, bytes]]) -> int:
    different = 0
    one, other = next(ours, None), next(theirs, None)
    while one is not None or other is not None:
        different += one != other
        place = min(row[0] for row in (one, other) if row is not None)
        is_ours, is_theirs = one is not None and one[0] == place, other is not None and other[0] == place
        one = next(ours, None) if is_ours else one
        other = next(theirs, None) if is_theirs else other
    return different


def _rows(database: Database, name: str, upto: int) -> Iterator[tuple[bytes, bytes]]:
    """The rows of a projection up to an event, in order, read in short transactions."""
    start = b""
    while True:
        page: list[tuple[bytes, bytes]] = []
        with (
            database.begin() as txn,
            txn.cursor(database.databases[database_of(txn, database.databases, name)]) as cursor,
        ):
            found = cursor.set_range(start) if start else cursor.first()
            while found and len(page) < _PAGE_ROWS:
                page.append((bytes(cursor.key()), bytes(cursor.value())))
                found = cursor.next()
        yield from (row for row in page if int.from_bytes(row[0][-STAMP_BYTES:-4], "big") <= upto)
        if len(page) < _PAGE_ROWS:
            return
        start = page[-1][0] + b"\0"
