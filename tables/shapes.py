"""Shapes: rows that differ in nothing but their numbers, texts and bytes, so that one tells where all are read.

Rows have the same shape if all heads and lengths in them are the same; so their values lie at the same places.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .cuts import Flags, Positions, side_by_side
from .heads import CHILDREN, FACTOR, FALSE, LENGTH_BYTES, NEGATIVE, SIZE_BYTES, TRUE
from .walk import Data

_FEW_ROWS = 32
"""For so few rows of a page no shape is looked for."""
_MOST_HEADS = 256
"""Rows of more heads and lengths have no shape: to compare them takes longer than to read them."""
_MOST_SHAPES = 8
"""So many are known of each length."""
_TELLING = list(zip(SIZE_BYTES.tolist(), CHILDREN.tolist(), LENGTH_BYTES.tolist(), FACTOR.tolist(), strict=True))


def _masks() -> list[int]:
    """By head, which of its bits tell what the value is, and where it ends."""
    masks = np.full(256, 0xFF)
    masks[:0x80] = 0x80
    masks[NEGATIVE:] = NEGATIVE
    masks[[FALSE, TRUE]] = 0xFF ^ FALSE ^ TRUE
    return list(masks.tolist())


_MASKS = _masks()


class Shape(NamedTuple):
    """What rows have in common."""

    row: bytes
    """One of them."""
    ends: dict[int, int]
    """Where in it each value ends, by where it begins."""
    places: Positions
    """Of its heads and lengths."""
    masks: Data
    """Which bits of them matter."""
    bits: Data
    """What these are."""

    @classmethod
    def of(cls, row: bytes) -> Shape | None:
        """That of a row, if it has whole values, and not too many to compare."""
        ends: dict[int, int] = {}
        places: list[int] = []
        masks: list[int] = []
        holders: list[list[int]] = []
        at = 0
        while at < len(row) and len(places) <= _MOST_HEADS:
            head, start = row[at], at
            size, inside, width, factor = _TELLING[head]
            places += range(at, at + 1 + width)
            masks += [_MASKS[head], *[0xFF] * width]
            length = int.from_bytes(row[at + 1 : at + 1 + width], "big")
            inside += length * factor
            at += size if factor else size + length
            if inside:
                holders.append([start, inside])
                continue
            ends[start] = at
            while holders:
                holders[-1][1] -= 1
                if holders[-1][1]:
                    break
                ends[holders.pop()[0]] = at
        if holders or not row or at != len(row):
            return None
        bits = np.array(masks, np.uint8)
        return cls(row, ends, np.array(places, np.int64), bits, np.frombuffer(row, np.uint8)[places] & bits)

    def have(self, rows: Data) -> Flags:
        """Which rows of a matrix, as long as it is, have it."""
        flags: Flags = ((rows.take(self.places, axis=1) & self.masks) == self.bits).all(axis=1)
        return flags


class Group(NamedTuple):
    """Rows of one shape."""

    places: Positions
    """Which they are among those that were looked through."""
    rows: Data
    """They as a matrix."""
    shape: Shape


class Shapes:
    """Those that rows of one kind were found to have."""

    def __init__(self) -> None:
        """Know none yet."""
        self._known: dict[int, list[Shape]] = {}

    def groups(self, data: Data, at: Positions, ends: Positions) -> Iterator[Group]:
        """Those of the rows between these positions that have a shape that many have."""
        lengths = ends - at
        order = np.argsort(lengths, kind="stable")
        lengths = lengths[order]
        cuts = [0, *(np.flatnonzero(lengths[1:] != lengths[:-1]) + 1).tolist(), len(order)]
        for start, end in pairwise(cuts):
            if end - start >= _FEW_ROWS:
                places = order[start:end]
                yield from self._of_one_length(places, side_by_side(data, at[places], int(lengths[start])))

    def _of_one_length(self, places: Positions, rows: Data) -> Iterator[Group]:
        known = self._known.setdefault(rows.shape[1], [])
        for number in range(_MOST_SHAPES):
            shape = known[number] if number < len(known) else Shape.of(rows[0].tobytes())
            if shape is None:
                return
            has = shape.have(rows)
            many = np.count_nonzero(has)
            if many >= _FEW_ROWS:
                if number == len(known):
                    known.append(shape)
                yield Group(places, rows, shape) if many == len(rows) else Group(places[has], rows[has], shape)
                places, rows = places[~has], rows[~has]
            elif number == len(known):
                return
            if len(rows) < _FEW_ROWS:
                return
