"""Rows of one shape read by columns: where a value is, and what, is looked up in one row for all of them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .cuts import Flags, unreadable
from .heads import (
    CHILDREN,
    FACTOR,
    FALSE,
    FLOATS,
    INTEGERS,
    IS_INTEGER,
    IS_LIST,
    IS_MAP,
    IS_SHORT,
    IS_TEXT,
    LENGTH_BYTES,
    NIL,
    TRUE,
)
from .packed import PADDING_BYTES, Cells, Integers
from .shapes import Shape
from .walk import Data


class Alike:
    """Where rows of one shape are read next. As `Cells`, which tells what the methods do."""

    def __init__(self, rows: Data, shape: Shape, at: int = 0, left: int | None = None) -> None:
        """Read rows of a matrix, from so many bytes on.

        Args:
            left: How many values each row has from there on, where that is known.
        """
        self._rows = rows
        self._shape = shape
        self._at = at
        self._left = left

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def _head(self) -> int:
        return NIL if self._left == 0 else self._shape.row[self._at]

    def _passed(self) -> int:
        """Where the value is that is passed over."""
        at = self._at
        if self._left != 0:
            self._at = self._shape.ends[at]
        if self._left:
            self._left -= 1
        return at

    def again(self) -> Alike:
        """The same, to be read once more."""
        return Alike(self._rows, self._shape, self._at, self._left)

    def _apart(self) -> Cells:
        """The same as if rows differed."""
        rows, size_bytes = self._rows.shape
        data = np.concatenate([self._rows.reshape(-1), np.full(PADDING_BYTES, NIL, np.uint8)])
        return Cells(data, np.arange(rows) * size_bytes + self._at, left=self._left)

    def _numbers(self, at: int, kind: str) -> NDArray[Any]:
        """The number of this type that each row has there."""
        return self._rows[:, at : at + np.dtype(kind).itemsize].copy().view(kind)[:, 0]

    def skip(self, values: int = 1) -> Alike:
        """Pass over so many values."""
        for _ in range(values):
            self._passed()
        return self

    def integers(self) -> Integers:
        """Integers; other values count as missing."""
        head, at = self._head, self._passed()
        if not IS_INTEGER[head]:
            return Integers(np.zeros(len(self), np.int64), np.zeros(len(self), np.bool_))
        found = self._numbers(at, "i1") if IS_SHORT[head] else self._numbers(at + 1, INTEGERS[head])
        return Integers(found.astype(np.int64), np.ones(len(self), np.bool_))

    def floats(self) -> pa.Array:
        """Floating-point numbers, and integers as such; other values count as missing."""
        if (kind := FLOATS.get(self._head)) is None:
            whole = self.integers()
            return pa.array(whole.values.astype(np.float64), mask=whole.missing)
        return pa.array(self._numbers(self._passed() + 1, kind).astype(np.float64))

    def booleans(self) -> pa.Array:
        """Truth values; others count as missing."""
        head, at = self._head, self._passed()
        if head not in (FALSE, TRUE):
            return pa.nulls(len(self), pa.bool_())
        return pa.array(self._rows[:, at] == TRUE)

    def side_by_side(self) -> Data:
        """Bytes and texts, of which none is missing, as a matrix."""
        head, at = self._head, self._passed()
        if not IS_TEXT[head]:
            raise unreadable("a text is of another type")
        return self._rows[:, at + 1 + int(LENGTH_BYTES[head]) : self._at]

    def value(self) -> Cells:
        """The value that each row has here, to be read by itself; nil where there is none."""
        before = self._apart()
        self._passed()
        return before.value()

    def raw(self) -> pa.Array:
        """The values as they are stored."""
        before = self._apart()
        self._passed()
        return before.raw()

    def opened(self) -> Alike:
        """What the list or map that each row has here consists of; `go_behind` is to be called before more is read."""
        head = self._head
        if not (IS_LIST[head] or IS_MAP[head] or head == NIL):
            raise unreadable("a list is of another type")
        return Alike(self._rows, self._shape, self._at + 1 + int(LENGTH_BYTES[head]), self.all_have())

    def go_behind(self, inner: object) -> None:
        """Go on behind a record that was opened."""
        self._passed()

    def all_have(self) -> int:
        """How many values each list or map has that a row has here."""
        head, after = self._head, self._at + 1
        length = int.from_bytes(self._shape.row[after : after + int(LENGTH_BYTES[head])], "big")
        return int(CHILDREN[head]) + length * int(FACTOR[head])

    most_inside = all_have

    def shared(self, codes: NDArray[Any]) -> int | None:
        """What stands by the first byte of each row's value among these, if it is the same for all."""
        return int(codes[self._head])

    def have(self, values: int) -> bool:
        """Whether all rows are known to have as many values, and at least so many."""
        return self._left is not None and self._left >= values

    def missing(self) -> Flags | None:
        """Which rows have no value here, being shorter; None if all have one."""
        return np.ones(len(self), np.bool_) if self._left == 0 else None

    def nils(self) -> Flags | None:
        """Which rows have nil here, or nothing; None if all have something."""
        return np.ones(len(self), np.bool_) if self._head == NIL else None


Reader: TypeAlias = Cells | Alike
"""Where rows are read next, whether they are of one shape or not."""
