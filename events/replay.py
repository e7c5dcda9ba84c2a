"""Replays the log into empty databases, in the order of their keys: each page is filled, and written once.

Rows come from the log in the order of events, their keys in any. Put as they come, each would change a page of its
own, which is written again by each commit, and stays half empty. Invariant: nobody reads these databases yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from ..errors import StoreBroken
from .gathered_rows import GatheredRows
from .log import Database, Log
from .projection_writer import Placed, ProjectionWriter
from .sorted_rows import Rows, SortedRows

if TYPE_CHECKING:
    import lmdb

_PIECE_ROWS = 3000
"""How many rows of a database are sorted at once, those of `_READ_EVENTS` more at most: they are in the cache still."""
_PIECES = 64
"""After how many pieces of a database they are twice as large, so that there are never too many to be merged."""
_PIECE_MAX_ROWS = 24_000
"""How many rows a piece has then at most."""
_PIECE_BYTES = 64 * 1024 * 1024
"""Of how many bytes of events there are rows in memory, likewise: they may have as many, and more."""
_READ_EVENTS = 1000
"""How many events are read in one transaction."""
_COMMIT_ROWS = 10_000
"""How many rows are put before writers are let in; a range of `SortedRows` more at most."""
_COMMIT_BYTES = 64 * 1024 * 1024
"""How many bytes, likewise."""
_KNOWN_MAX_ROWS = 300_000
"""How many newest rows are held in memory for folds to ask for; more are asked for in the database."""


class Replay:
    """A fold of the log that fills some databases, bit by bit."""

    def __init__(self, environment: Database, log: Log, placed: Sequence[Placed]) -> None:
        """Fill these databases, which are empty at first."""
        self._env = environment
        self._log = log
        self._placed = placed

    def fill(self, after: int, upto: int) -> None:
        """Put the rows of the events between two, the second included. Others write meanwhile.

        Raises:
            ProjectionFailed: A projection can't fold in an event.
        """
        with SortedRows(self._env.data_file.parent) as sorted_rows:
            events = self._log.stored(after, upto)
            piece = _Piece(self._env, sorted_rows)
            writer = ProjectionWriter(piece, self._placed)
            for _ in range(after, upto, _READ_EVENTS):
                with self._env.begin() as txn:
                    piece.txn = txn
                    writer.go_on(piece)
                    folded = writer.fold(islice(events, _READ_EVENTS))
                piece.move_what_is_large(folded.size_bytes)
                if writer.known_rows > _KNOWN_MAX_ROWS:
                    piece.move()
                    self._put(sorted_rows, [one for one in self._placed if writer.rows(one.projection.name).known])
                    writer = ProjectionWriter(piece, self._placed)
            piece.move()
            self._put(sorted_rows, self._placed)

    def _put(self, sorted_rows: SortedRows, placed: Iterable[Placed]) -> None:
        """Move what was gathered for some into their databases."""
        ranges = ((one.database, rows) for one in placed for rows in sorted_rows.take(one.database))
        while (some := next(ranges, None)) is not None:
            with self._env.begin(write=True) as txn:
                count = size_bytes = 0
                while some is not None:
                    count += self._put_range(txn, *some)
                    size_bytes += sum(map(len, some[1][1]))
                    some = next(ranges, None) if count < _COMMIT_ROWS and size_bytes < _COMMIT_BYTES else None

    def _put_range(self, txn: lmdb.Transaction, database: str, rows: Rows) -> int:
        keys, values = rows
        with txn.cursor(self._env.databases[database]) as cursor:
            follows = not cursor.last() or keys[:1] > [bytes(cursor.key())]
            _, put = cursor.putmulti(zip(keys, values, strict=True), append=follows)
        if put != len(keys):
            raise StoreBroken(
                f"{len(keys) - put} rows of {database} were not taken", hint="Run `lineal rebuild` again."
            )
        return put


class _Piece(GatheredRows):
    """What some events make, handed on to be sorted."""

    def __init__(self, environment: Database, sorted_rows: SortedRows) -> None:
        super().__init__(environment)
        self._sorted = sorted_rows
        self._size_bytes = 0

    def move_what_is_large(self, size_bytes: int) -> None:
        """Hand on the rows of each database that has many; or all, if events of many bytes made them."""
        self._size_bytes += size_bytes
        if self._size_bytes >= _PIECE_BYTES:
            self.move()
            return
        for database, rows in self._rows.items():
            if len(rows) >= _PIECE_ROWS and len(rows) >= self._rows_wanted(database):
                self._sorted.add(database, rows)
                rows.clear()

    def _rows_wanted(self, database: str) -> int:
        return min(_PIECE_ROWS << self._sorted.pieces(database) // _PIECES, _PIECE_MAX_ROWS)

    def move(self) -> None:
        """Hand on all rows, and begin anew."""
        for database, rows in self._rows.items():
            self._sorted.add(database, rows)
            rows.clear()
        self._size_bytes = 0
