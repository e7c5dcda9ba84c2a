"""Rows taken in piece by piece, each sorted, and given back in the order of all keys; a file has what memory has not.

Source: Knuth, The Art of Computer Programming, volume 3, 5.4 (external sorting by merging).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import NamedTuple, Self

import msgpack

_BLOCK_ROWS = 256
"""How many rows of each piece are in memory while pieces are merged, at most."""
_BLOCK_BYTES = 256 * 1024
"""How many bytes they have at most, where there is more than one."""
_RANGE_BLOCKS = 16
"""By how many blocks they are given back."""
_MEMORY_BYTES = 64 * 1024 * 1024

Rows = tuple[list[bytes], list[bytes]]
"""Keys, and their values."""


class _Block(NamedTuple):
    first: bytes
    """The least key."""
    offset: int
    size_bytes: int


class SortedRows:
    """Rows of some databases, none of whose keys is added twice. Its file has no name, and is gone once it is closed.

    Memory: `_MEMORY_BYTES`, and while they are given back a block for each time that some were added, and
    `_RANGE_BLOCKS` of them; a block has `_BLOCK_ROWS` rows, or fewer where those are long.
    """

    def __init__(self, directory: Path) -> None:
        """Nothing yet; the file is made in this directory's file system, if it is needed."""
        self._file = SpooledTemporaryFile(_MEMORY_BYTES, dir=str(directory))  # noqa: SIM115 — closed by `__exit__`
        self._end = 0
        self._runs: dict[str, list[list[_Block]]] = {}
        self._pack = msgpack.Packer().pack

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, database: str, rows: Mapping[bytes, bytes]) -> None:
        """Take in rows of a database, if there are any."""
        if not rows:
            return
        keys, values = _in_order([*rows], [*rows.values()], rows)
        run: list[_Block] = []
        for begin in range(0, len(keys), _BLOCK_ROWS):
            self._write(run, keys[begin : begin + _BLOCK_ROWS], values[begin : begin + _BLOCK_ROWS])
        self._runs.setdefault(database, []).append(run)

    def _write(self, run: list[_Block], keys: list[bytes], values: list[bytes]) -> None:
        """Write a block at the end of a run; or where it would be large, two."""
        block = self._pack((keys, values))
        if len(block) > _BLOCK_BYTES and len(keys) > 1:
            half = len(keys) // 2
            self._write(run, keys[:half], values[:half])
            self._write(run, keys[half:], values[half:])
            return
        self._file.write(block)
        run.append(_Block(keys[0], self._end, len(block)))
        self._end += len(block)

    def pieces(self, database: str) -> int:
        """How many pieces of a database are to be merged."""
        return len(self._runs.get(database, ()))

    def take(self, database: str) -> Iterator[Rows]:
        """Give back the rows of a database, by ranges, in the order of their keys. Add none meanwhile."""
        blocks = self._runs.pop(database, [])
        if len(blocks) == 1:
            yield from map(self._read, blocks[0])
            blocks = []
        firsts = sorted(block.first for run in blocks for block in run)
        runs = [_Run(run, self._read) for run in blocks]
        for bound in (*firsts[_RANGE_BLOCKS::_RANGE_BLOCKS], None):
            rows: Rows = [], []
            for run in runs:
                run.move(rows, bound)
            if rows[0]:
                yield _in_order(*rows)
        self._file.seek(self._end)

    def _read(self, block: _Block) -> Rows:
        self._file.seek(block.offset)
        keys, values = msgpack.unpackb(self._file.read(block.size_bytes))
        return keys, values


def _in_order(keys: list[bytes], values: list[bytes], rows: Mapping[bytes, bytes] | None = None) -> Rows:
    """Rows by key, which may be at hand as a mapping, too. Of many marks, none is looked up."""
    if values.count(values[0]) == len(values):
        keys.sort()
        return keys, values
    by_key = dict(zip(keys, values, strict=True)) if rows is None else rows
    keys.sort()
    return keys, list(map(by_key.__getitem__, keys))


class _Run:
    """What one piece has left to give."""

    def __init__(self, blocks: list[_Block], read: Callable[[_Block], Rows]) -> None:
        self._blocks = blocks[::-1]
        self._read = read
        self._rows: Rows = [], []
        self._begin = 0

    def move(self, into: Rows, bound: bytes | None) -> None:
        """Give what comes before a key, or all."""
        while True:
            keys, values = self._rows
            end = len(keys) if bound is None else bisect_left(keys, bound, self._begin)
            into[0].extend(keys[self._begin : end])
            into[1].extend(values[self._begin : end])
            self._begin = end
            if end < len(keys) or not self._blocks or (bound is not None and self._blocks[-1].first >= bound):
                return
            self._rows, self._begin = self._read(self._blocks.pop()), 0
