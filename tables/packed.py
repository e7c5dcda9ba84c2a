"""Msgpack read by columns: one value of each of many rows at a time, with numpy instead of an object a value.

The rows lie in one buffer; where each of them is read next is an array of positions. So a value costs some
nanoseconds, and one that nobody asks for is passed over. Format: msgpack's specification, all of it but extensions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .cuts import Flags, Positions, are_alike, cut, gathered, hexed, text, unreadable
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
    IS_SIGNED,
    IS_TEXT,
    LENGTH_BYTES,
    NIL,
    SHIFTS,
    SIZE_BYTES,
    TRUE,
)
from .walk import behind, lengths_of, numbers, sizes_of

PADDING_BYTES = 64
"""Nils behind the rows: where a row has no such field, it is read there."""


class Integers(NamedTuple):
    """A column of integers."""

    values: Positions
    is_there: Flags

    def arrow(self, kind: Any = None) -> pa.Array:
        """It as an Arrow array of this type."""
        array = pa.array(self.values, mask=self.missing)
        return array if kind is None else array.cast(kind)

    @property
    def missing(self) -> Flags | None:
        """Which are missing; None if none is."""
        return None if self.is_there.all() else ~self.is_there


class Cells:
    """Where many rows are read next. Each method reads one value of every row, and goes on to the next."""

    def __init__(
        self,
        data: NDArray[np.uint8],
        at: Positions,
        *,
        left: Positions | int | None = None,
        ends: Positions | None = None,
    ) -> None:
        """Read at these positions of padded data; `Values.cells` makes it.

        Args:
            left: How many values each row has from there on, where that is known; a number if all have as many.
            ends: Where each row's last value ends, where that is known.
        """
        self._data = data
        self._at = at
        self._left = left
        self._ends = ends

    def __len__(self) -> int:
        return len(self._at)

    def where(self, chosen: NDArray[Any] | slice) -> Cells:
        """Some of the rows."""
        left = self._left[chosen] if isinstance(self._left, np.ndarray) else self._left
        return Cells(self._data, self._at[chosen], left=left, ends=None if self._ends is None else self._ends[chosen])

    def _turn(self) -> NDArray[np.uint8]:
        """The first byte of the value of each row."""
        if isinstance(self._left, int):
            if self._left == 0:
                self._at = np.full(len(self), len(self._data) - PADDING_BYTES)
            self._left = max(self._left - 1, 0)
        elif self._left is not None:
            self._at = np.where(self._left > 0, self._at, len(self._data) - PADDING_BYTES)
            self._left = np.maximum(self._left - 1, 0)
        return self._data.take(self._at)

    def skip(self, values: int = 1) -> Cells:
        """Pass over so many values, whatever they are."""
        if isinstance(self._left, np.ndarray):
            skipped = np.minimum(self._left, values)
            self._at = behind(self._data, self._at, skipped)
            self._left = self._left - skipped
        else:
            all_skipped = values if self._left is None else min(self._left, values)
            self._at = behind(self._data, self._at, all_skipped)
            self._left = None if self._left is None else self._left - all_skipped
        return self

    def integers(self) -> Integers:
        """Integers; other values count as missing."""
        head = self._turn()
        if head.size and int(head[0]) in INTEGERS and are_alike(head):
            code = int(head[0])
            same = numbers(self._data, self._at + 1, INTEGERS[code]).astype(np.int64)
            self._at = self._at + SIZE_BYTES[code]
            return Integers(same, np.ones(len(same), np.bool_))
        long = numbers(self._data, self._at + 1, ">i8").astype(np.int64)
        shifts = SHIFTS.take(head)
        unsigned = (long.view(np.uint64) >> shifts.view(np.uint64)).view(np.int64)
        long = np.where(IS_SIGNED.take(head), long >> shifts, unsigned)
        values, is_there = np.where(IS_SHORT.take(head), head.view(np.int8), long), IS_INTEGER.take(head)
        self._at = self._at + SIZE_BYTES.take(head)
        return Integers(values, is_there)

    def floats(self) -> pa.Array:
        """Floating-point numbers, and integers as such; other values count as missing."""
        head, at = self._turn(), self._at
        whole = Cells(self._data, at).integers()
        values, is_there = whole.values.astype(np.float64), whole.is_there
        for code, kind in FLOATS.items():
            chosen = np.flatnonzero(head == code)
            if chosen.size:
                values[chosen] = numbers(self._data, at[chosen] + 1, kind)
                is_there[chosen] = True
        self._at = behind(self._data, at)
        return pa.array(values, mask=~is_there)

    def booleans(self) -> pa.Array:
        """Truth values; others count as missing."""
        head = self._turn()
        self._at = self._at + 1
        return pa.array(head == TRUE, mask=(head != TRUE) & (head != FALSE))

    def bytes(self) -> pa.Array:
        """Bytes and texts, as bytes; nil is missing."""
        head = self._turn()
        if are_alike(head):
            first = int(head[0])
            if IS_TEXT[first]:
                return self._bytes_alike(first)
            if first == NIL:
                self._at = self._at + 1
                return pa.nulls(len(head), pa.binary())
        is_text = IS_TEXT.take(head)
        if not (is_text | (head == NIL)).all():
            raise unreadable("a text is of another type")
        widths = LENGTH_BYTES.take(head)
        start, length = self._at + 1 + widths, SIZE_BYTES.take(head) - 1
        long = np.flatnonzero(widths)
        if long.size:
            length[long] = lengths_of(self._data, self._at[long], widths[long])
        self._at = start + length
        return cut(self._data, start, self._at, is_text)

    def _bytes_alike(self, head: int) -> pa.Array:
        """The same where all have this head."""
        width = int(LENGTH_BYTES[head])
        start = self._at + (1 + width)
        size = sizes_of(self._data, self._at, width) if width else int(SIZE_BYTES[head]) - 1
        self._at = start + size
        return gathered(self._data, start, size) if isinstance(size, int) else cut(self._data, start, self._at)

    def raw(self) -> pa.Array:
        """The values as they are stored."""
        is_last = self._left is not None and self._ends is not None and bool(np.all(self._left == 1))
        self._turn()
        start, self._at = self._at, self._ends if is_last and self._ends is not None else behind(self._data, self._at)
        return cut(self._data, start, self._at, start < len(self._data) - PADDING_BYTES)

    def bounds(self) -> tuple[NDArray[np.uint8], Positions, Positions]:
        """What is read, where in it each row is read next, and where it ends."""
        assert self._ends is not None
        return self._data, self._at, self._ends

    def whole(self) -> pa.Array:
        """What each row has from here to its end."""
        assert self._ends is not None
        if (self._at > self._ends).any():
            raise unreadable("one ends too early")
        return cut(self._data, self._at, self._ends)

    def texts(self) -> pa.Array:
        """Texts; nil is missing."""
        return text(self.bytes())

    def hexes(self) -> pa.Array:
        """Bytes as their hex digits; nil is missing."""
        return hexed(self.bytes())

    def value(self) -> Cells:
        """The value that each row has here, to be read by itself; nil where there is none."""
        self._turn()
        inner = Cells(self._data, self._at)
        self._at = behind(self._data, self._at)
        return inner

    def record(self) -> Cells:
        """The fields of the record that each row has here, to be read by themselves; nil has none."""
        return self.value().entered()

    def opened(self) -> Cells:
        """What the list or map that each row has here consists of; `go_behind` is to be called before more is read."""
        self._turn()
        inner = Cells(self._data, self._at)
        inner._left = inner._enter(IS_LIST | IS_MAP)
        return inner

    def all_have(self) -> int | None:
        """How many values each list or map has that a row has here, if all have as many."""
        counts = None if self.missing() is not None else Cells(self._data, self._at)._enter(IS_LIST | IS_MAP)
        return counts if isinstance(counts, int) else None

    def heads(self) -> NDArray[np.uint8]:
        """The first byte of what each row has here, if it has it."""
        return self._data.take(self._at)

    def have(self, values: int) -> bool:
        """Whether all rows are known to have as many values, and at least so many."""
        return isinstance(self._left, int) and self._left >= values

    def go_behind(self, inner: object) -> None:
        """Go on behind a record that was opened, where what it has is read as far as is known, if it is told."""
        if isinstance(inner, Cells) and isinstance(inner._left, int):
            self._at = inner.skip(inner._left)._at
        else:
            self._at = behind(self._data, self._at)

    def missing(self) -> Flags | None:
        """Which rows have no value here, being shorter; None if all have one."""
        if self._left is None:
            return None
        if isinstance(self._left, int):
            return None if self._left else np.ones(len(self), np.bool_)
        missing = self._left == 0
        return missing if missing.any() else None

    def nils(self) -> Flags | None:
        """Which rows have nil here, or nothing; None if all have something."""
        missing = self.missing()
        is_nil: Flags = self._data.take(self._at) == NIL
        is_nil = is_nil if missing is None else is_nil | missing
        return is_nil if is_nil.any() else None

    def shared(self, codes: NDArray[Any]) -> int | None:
        """What stands by the first byte of each row's value among these, if it is the same for all."""
        found = codes.take(self.heads())
        return int(found[0]) if are_alike(found) else None

    def again(self) -> Cells:
        """The same, to be read once more."""
        return self.where(slice(None))

    def trailing_record(self) -> Cells:
        """As `record`, of the last value that is read."""
        self._turn()
        return Cells(self._data, self._at).entered()

    def peek(self, offset: int, kind: str) -> NDArray[Any]:
        """The number of this type that is so many bytes on, whatever it is a part of; nothing is passed over."""
        return numbers(self._data, self._at + offset, kind)

    def entered(self) -> Cells:
        """The same of a record behind which nothing is to be read, which takes no time."""
        self._turn()
        self._left = self._enter()
        return self

    def elements(self, *, is_last: bool = False) -> tuple[Positions, Cells]:
        """The elements of the list that each row has here: which row each is of, and where they are, row by row.

        Cheaper if it is the last value that is read.
        """
        return self._inside(IS_LIST, is_last)

    def trailing_elements(self) -> tuple[Positions, Cells]:
        """As `elements`, of the last value that is read."""
        return self.elements(is_last=True)

    def items(self) -> tuple[Positions, Cells, Cells]:
        """The items of the map that each row has here as the last value: which row each is of, keys, and values."""
        rows, flat = self._inside(IS_MAP, is_last=True)
        return rows[::2], flat.where(slice(0, None, 2)), flat.where(slice(1, None, 2))

    def most_inside(self) -> int:
        """How many values the largest list or map has that a row has here."""
        return int(np.max(Cells(self._data, self._at)._enter(IS_LIST | IS_MAP), initial=0))

    def _inside(self, allowed: Flags, is_last: bool) -> tuple[Positions, Cells]:
        self._turn()
        inner = Cells(self._data, self._at)
        entered = inner._enter(allowed)
        counts = np.full(len(self), entered) if isinstance(entered, int) else entered
        if counts.sum() > len(self._data):
            raise unreadable("its lists have more values than there are bytes")
        first = np.cumsum(counts) - counts
        rows, flat = np.repeat(np.arange(len(self)), counts), np.empty(int(counts.sum()), np.int64)
        at = inner._at
        for place in range(int(counts.max(initial=0))):
            holders = np.flatnonzero(counts > place)
            flat[first[holders] + place] = at[holders]
            passed = np.flatnonzero(counts > place + 1) if is_last else holders
            at = at.copy()
            at[passed] = behind(self._data, at[passed])
        self._at = at
        return rows, Cells(self._data, flat)

    def _enter(self, allowed: Flags = IS_LIST) -> Positions | int:
        """Go into a list, and tell how many values it has, as one number if all have as many; nil has none."""
        head = self._data.take(self._at)
        if not (allowed.take(head) | (head == NIL)).all():
            raise unreadable("a list is of another type")
        widths = LENGTH_BYTES.take(head)
        if not widths.any():
            self._at = self._at + 1
            return int(CHILDREN[head[0]]) if are_alike(head) else CHILDREN.take(head)
        counts = lengths_of(self._data, self._at, widths) * FACTOR.take(head) + CHILDREN.take(head)
        self._at = self._at + 1 + widths
        return counts
