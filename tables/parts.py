"""Parts: events of one type each, those of one shape side by side; where a page has few, they wait for those of others.

The more are read together, the less each takes; so what waits is kept until it takes too much memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from .alike import Alike, Reader
from .cuts import Positions
from .packed import Cells
from .pages import LogPage
from .shapes import Shape, Shapes
from .values import Values
from .walk import Data

_ENOUGH_ROWS = 2048
"""Of one shape, so many don't wait."""
_ENOUGH_OF_NONE = 4096
"""The same of those that have none in common."""
_WAITING_BYTES = 4 * 1024 * 1024


class Part(NamedTuple):
    """Some events of one type."""

    type_: str
    seqs: Positions
    cells: Reader
    """From the events' ids on."""


class _OfOneShape:
    """Events of one type and shape that wait."""

    def __init__(self, type_: str, shape: Shape) -> None:
        self._type = type_
        self._shape = shape
        self._seqs: list[Positions] = []
        self._rows: list[Data] = []
        self.size_bytes = 0

    def add(self, seqs: Positions, rows: Data) -> None:
        self._seqs.append(seqs)
        self._rows.append(rows)
        self.size_bytes += rows.size

    def part(self) -> Part:
        return Part(self._type, np.concatenate(self._seqs), Alike(np.concatenate(self._rows), self._shape))


class _OfNone:
    """Events of one type that wait and share a shape with few."""

    def __init__(self, type_: str) -> None:
        self._type = type_
        self._seqs: list[Positions] = []
        self._rows: list[bytes] = []
        self.size_bytes = 0

    def add(self, seqs: Positions, cells: Cells) -> None:
        rows = cells.whole().to_pylist()
        self._seqs.append(seqs)
        self._rows += rows
        self.size_bytes += sum(map(len, rows))

    def part(self) -> Part:
        return Part(self._type, np.concatenate(self._seqs), Values.of(self._rows).cells())


class _Waiting:
    """Events that wait, by type and shape."""

    def __init__(self) -> None:
        self._gathered: dict[tuple[str, bytes], _OfOneShape | _OfNone] = {}

    def add(self, type_: str, shape: Shape, seqs: Positions, rows: Data) -> None:
        found = self._gathered.setdefault((type_, shape.row), _OfOneShape(type_, shape))
        assert isinstance(found, _OfOneShape)
        found.add(seqs, rows)

    def add_shapeless(self, type_: str, seqs: Positions, cells: Cells) -> None:
        found = self._gathered.setdefault((type_, b""), _OfNone(type_))
        assert isinstance(found, _OfNone)
        found.add(seqs, cells)

    def parts(self, beyond_bytes: int) -> Iterator[Part]:
        """Those that wait, the largest first, until the others take no more."""
        left_bytes = sum(one.size_bytes for one in self._gathered.values())
        while left_bytes > beyond_bytes:
            largest = self._gathered.pop(max(self._gathered, key=lambda key: self._gathered[key].size_bytes))
            left_bytes -= largest.size_bytes
            yield largest.part()


def parts(pages: Iterable[LogPage]) -> Iterator[Part]:
    """All events of some pages, in no order. A part is to be read before the next one is asked for."""
    shapes: defaultdict[str, Shapes] = defaultdict(Shapes)
    waiting = _Waiting()
    for page in pages:
        for code, type_ in enumerate(page.types):
            chosen = (page.codes == code).nonzero()[0]
            seqs, cells = page.seqs[chosen], page.cells.where(chosen)
            has_none = np.ones(len(seqs), np.bool_)
            for group in shapes[type_].groups(*cells.bounds()):
                has_none[group.places] = False
                if len(group.places) < _ENOUGH_ROWS:
                    waiting.add(type_, group.shape, seqs[group.places], group.rows)
                else:
                    yield Part(type_, seqs[group.places], Alike(group.rows, group.shape))
            if 0 < np.count_nonzero(has_none) < _ENOUGH_OF_NONE:
                waiting.add_shapeless(type_, seqs[has_none], cells.where(has_none))
            elif has_none.any():
                yield Part(type_, seqs[has_none], cells.where(has_none))
        yield from waiting.parts(_WAITING_BYTES)
        pa.default_memory_pool().release_unused()  # Else it keeps that of columns of all sizes, gone by now.
    yield from waiting.parts(0)
