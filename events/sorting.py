"""Rows put in order outside of memory: gathered, spilled in sorted runs, and merged (Knuth, TAOCP 3, 5.4).

LMDB takes rows that come in the order of their keys several times as fast as others, and packs them twice as densely.
Invariant: what `merged` gives of a database is all that was gathered for it, in the order of the keys.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, NamedTuple

import msgpack

from ..errors import Invalid

if TYPE_CHECKING:
    import lmdb

_RUN_ROWS = 100_000
"""How many rows are gathered in memory, of all databases together: some 30 MB. With more, sorting waits for memory."""
_BLOCK_ROWS = 1000
"""How many rows of each run are in memory while they are merged."""

Rows = tuple[list[bytes], dict[bytes, bytes]]
"""Keys in order, and the value of each."""


class _Span(NamedTuple):
    """A block of a run, in the file."""

    start: int
    size_bytes: int


class Sorter:
    """Gathers the rows of some databases. To be closed."""

    def __init__(self, open_file: Callable[[], IO[bytes]]) -> None:
        """Spill to this file, which is made when it is needed."""
        self._open_file = open_file
        self._file: IO[bytes] | None = None
        self._gathered: dict[str, dict[bytes, bytes]] = {}
        self._runs: dict[str, list[list[_Span]]] = {}
        self._end = 0

    def gathered(self, database: str) -> dict[bytes, bytes]:
        """What is in memory of a database's rows, to be added to."""
        return self._gathered.setdefault(database, {})

    def cursor(self, database: str) -> lmdb.Cursor:
        """Refuse: nothing is to be read yet."""
        raise Invalid(
            f"the projection in {database!r} asks for earlier rows, though it says that it doesn't look back",
            hint="Leave its `looks_back` as True.",
        )

    def limit(self) -> None:
        """Spill what is in memory if it has become much."""
        if sum(map(len, self._gathered.values())) >= _RUN_ROWS:
            for database, rows in self._gathered.items():
                if rows:
                    self._runs.setdefault(database, []).append(self._spilled(rows))
                    rows.clear()

    def _spilled(self, rows: dict[bytes, bytes]) -> list[_Span]:
        if self._file is None:
            self._file = self._open_file()
        self._file.seek(self._end)
        keys = sorted(rows)
        spans = []
        for first in range(0, len(keys), _BLOCK_ROWS):
            some = keys[first : first + _BLOCK_ROWS]
            block = msgpack.packb((some, list(map(rows.__getitem__, some))))
            self._file.write(block)
            spans.append(_Span(self._end, len(block)))
            self._end += len(block)
        return spans

    def merged(self, database: str) -> Iterator[Rows]:
        """All rows of a database, each part of them after the one before; they are gone then."""
        rows = self._gathered.pop(database, {})
        runs = [_Run(spans, self._read) for spans in self._runs.pop(database, ())]
        if not runs:
            yield sorted(rows), rows
            return
        if rows:
            runs.append(_Run(self._spilled(rows), self._read))
        while runs:
            # What is in memory up to the first end of a block is all there is up to there: it is a part of the order.
            edge = min(run.keys[-1] for run in runs)
            keys: list[bytes] = []
            values: dict[bytes, bytes] = {}
            for run in runs:
                run.take(edge, keys, values)
            runs = [run for run in runs if run.keys]
            keys.sort()  # Of a few runs that are in order each, it makes a merge.
            yield keys, values

    def _read(self, span: _Span) -> tuple[list[bytes], list[bytes]]:
        assert self._file is not None
        self._file.seek(span.start)
        keys, values = msgpack.unpackb(self._file.read(span.size_bytes))
        return keys, values

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


class _Run:
    """A sorted run, read block by block."""

    def __init__(self, spans: list[_Span], read: Callable[[_Span], tuple[list[bytes], list[bytes]]]) -> None:
        self._blocks = iter(spans)
        self._read = read
        self._next()

    def _next(self) -> None:
        span = next(self._blocks, None)
        self.keys, self._values = ([], []) if span is None else self._read(span)
        self._place = 0

    def take(self, edge: bytes, keys: list[bytes], values: dict[bytes, bytes]) -> None:
        """Give the rows up to this key, at most those of the block; without keys afterwards, it is at its end."""
        end = bisect_right(self.keys, edge, self._place)
        taken = self.keys[self._place : end]
        keys += taken
        values.update(zip(taken, self._values[self._place : end], strict=True))
        self._place = end
        if end == len(self.keys):
            self._next()
