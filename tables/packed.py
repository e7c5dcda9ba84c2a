"""Msgpack read by columns: one value of each of many rows at a time, with numpy instead of an object a value.

The rows lie in one buffer; where each of them is read next is an array of positions. So a value costs some
nanoseconds, and one that nobody asks for is passed over. Format: msgpack's specification, all of it but extensions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import LogCorrupt

Positions = NDArray[np.int64]
Flags = NDArray[np.bool_]

_NIL, _FALSE, _TRUE, _NEGATIVE = 0xC0, 0xC2, 0xC3, 0xE0
_PADDING_BYTES = 64
"""Nils behind the rows: where a row has no such field, it is read there."""
_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), np.uint16)
_INTEGERS = {
    0xCC: ">u1",
    0xCD: ">u2",
    0xCE: ">u4",
    0xCF: ">u8",
    0xD0: ">i1",
    0xD1: ">i2",
    0xD2: ">i4",
    0xD3: ">i8",
}


class _Heads(NamedTuple):
    """What the first byte of a value says of it, by that byte."""

    size_bytes: NDArray[np.int64]
    """Of what is not counted by a length that follows."""
    children: NDArray[np.int64]
    """How many values lie inside, as far as this byte tells."""
    length_bytes: NDArray[np.int64]
    """Of the length that follows."""
    factor: NDArray[np.int64]
    """How many values inside that length counts one as; 0 where it counts bytes."""
    is_text: Flags
    """Whether it is a text or bytes."""


def _heads() -> _Heads:
    size_bytes, children, length_bytes, factor = (np.zeros(256, np.int64) for _ in range(4))
    heads = _Heads(size_bytes, children, length_bytes, factor, np.zeros(256, np.bool_))
    heads.size_bytes[:] = 1
    heads.children[0x80:0x90] = np.arange(16) * 2
    heads.children[0x90:0xA0] = np.arange(16)
    heads.size_bytes[0xA0:0xC0] = 1 + np.arange(32)
    heads.is_text[0xA0:0xC0] = True
    for first, width in ((0xCA, 4), (0xCB, 8), *((code, np.dtype(kind).itemsize) for code, kind in _INTEGERS.items())):
        heads.size_bytes[first] += width
    for first, each in ((0xC4, 0), (0xD9, 0), (0xDC, 1), (0xDE, 2)):
        for place, width in enumerate((1, 2, 4) if each == 0 else (2, 4)):
            heads.size_bytes[first + place] += width
            heads.length_bytes[first + place] = width
            heads.factor[first + place] = each
            heads.is_text[first + place] = each == 0
    return heads


_SIZE_BYTES, _CHILDREN, _LENGTH_BYTES, _FACTOR, _IS_TEXT = _heads()
_OPENED = _CHILDREN - 1
"""How many more values are to be read after a head than before it, as far as it tells."""


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


class Values(NamedTuple):
    """Values of rows, one behind the other."""

    pieces: list[bytes]
    """Each has some of them, whole."""
    lengths: Positions
    """Of each value, in bytes."""

    @classmethod
    def of(cls, values: Iterable[bytes]) -> Self:
        """Take these, each as a piece."""
        pieces = list(values)
        return cls(pieces, np.array(list(map(len, pieces)), np.int64))


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
        """Read at these positions of padded data; `of` makes it.

        Args:
            left: How many values each row has from there on, where that is known; a number if all have as many.
            ends: Where each row's last value ends, where that is known.
        """
        self._data = data
        self._at = at
        self._left = left
        self._ends = ends

    @classmethod
    def of(cls, values: Values, start: int = 0) -> Self:
        """Read these values, each from a byte on."""
        ends = np.cumsum(values.lengths)
        data = np.frombuffer(b"".join([*values.pieces, bytes([_NIL]) * _PADDING_BYTES]), np.uint8)
        return cls(data, ends - values.lengths + start, ends=ends)

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
                self._at = np.full(len(self), len(self._data) - _PADDING_BYTES)
            self._left = max(self._left - 1, 0)
        elif self._left is not None:
            self._at = np.where(self._left > 0, self._at, len(self._data) - _PADDING_BYTES)
            self._left = np.maximum(self._left - 1, 0)
        return self._data.take(self._at)

    def _lengths(self, at: Positions, widths: Positions) -> Positions:
        """The big-endian numbers of these widths after the first byte."""
        lengths = self._data[at + 1].astype(np.int64)
        for width in (2, 4):
            chosen = np.flatnonzero(widths == width)
            if chosen.size:
                lengths[chosen] = self._numbers(at[chosen] + 1, f">u{width}")
        return lengths

    def _numbers(self, at: Positions, kind: str) -> NDArray[Any]:
        return unaligned(self._data, kind)[at]

    def skip(self, values: int = 1) -> Cells:
        """Pass over so many values, whatever they are."""
        if isinstance(self._left, np.ndarray):
            skipped = np.minimum(self._left, values)
            self._at = self._behind(self._at, skipped)
            self._left = self._left - skipped
        else:
            all_skipped = values if self._left is None else min(self._left, values)
            self._at = self._behind(self._at, all_skipped)
            self._left = None if self._left is None else self._left - all_skipped
        return self

    def _behind(self, at: Positions, values: Positions | int = 1) -> Positions:
        """Where the values end that begin at these positions: so many each.

        Each turn passes one head of every row that is still open; `take` costs half of what brackets do.
        """
        if isinstance(values, int):
            at, values = self._behind_alike(at, values)
            if values == 0:
                return at
        left = np.full(len(at), values) if isinstance(values, int) else values
        ends, rows = at.copy(), left.nonzero()[0]
        if len(rows) < len(at):
            at, left = at.take(rows), left.take(rows)
        while rows.size:
            head = self._data.take(at)
            left = left + _OPENED.take(head)
            at = at + _SIZE_BYTES.take(head)
            long = _LENGTH_BYTES.take(head).nonzero()[0]
            if long.size:
                self._pass_counted(head.take(long), long, left, at)
            open_ = left.nonzero()[0]
            if len(open_) < len(rows):
                ends[rows] = at  # Of those that are still open until a later turn says better.
                rows, at, left = rows.take(open_), at.take(open_), left.take(open_)
        return ends

    def _behind_alike(self, at: Positions, left: int) -> tuple[Positions, int]:
        """The same as far as the rows have the same structure, as most events of a type have; how many are left then.

        It takes a fraction of the time: what all have in common is counted once.
        """
        while left and at.size:
            head = self._data.take(at)
            first = int(head[0])
            is_same, width = bool((head == first).all()), int(_LENGTH_BYTES[first])
            opened = int(_OPENED[first])
            if not is_same:
                if _LENGTH_BYTES.take(head).any() or (_OPENED.take(head) != opened).any():
                    break
                at = at + _SIZE_BYTES.take(head)
            elif width == 0:
                at = at + _SIZE_BYTES[first]
            elif _FACTOR[first] == 0:
                at = at + (_SIZE_BYTES[first] + self._sizes(at, width))
            else:
                break
            left += opened
        return at, left

    def _sizes(self, at: Positions, width: int) -> Positions:
        """The big-endian numbers of one width after the first byte."""
        sizes: NDArray[Any] = self._numbers(at + 1, f">u{width}")
        return sizes.astype(np.int64)

    def _pass_counted(self, head: NDArray[np.uint8], long: Positions, left: Positions, at: Positions) -> None:
        """Count what the lengths say that follow some heads, whose values would end without it at these positions."""
        widths, factors = _LENGTH_BYTES.take(head), _FACTOR.take(head)
        lengths = self._lengths(at.take(long) - _SIZE_BYTES.take(head), widths)
        left[long] += lengths * factors
        at[long] += np.where(factors == 0, lengths, 0)

    def integers(self) -> Integers:
        """Integers; other values count as missing."""
        head = self._turn()
        if head.size and int(head[0]) in _INTEGERS and (head == head[0]).all():
            code = int(head[0])
            same = self._numbers(self._at + 1, _INTEGERS[code]).astype(np.int64)
            self._at = self._at + _SIZE_BYTES[code]
            return Integers(same, np.ones(len(same), np.bool_))
        values, is_there = head.astype(np.int64), head < 0x80
        wide = (~is_there).nonzero()[0]
        heads = head.take(wide)
        for code in np.bincount(heads).nonzero()[0].tolist():
            chosen = wide.take((heads == code).nonzero()[0])
            if code in _INTEGERS:
                values[chosen] = self._numbers(self._at.take(chosen) + 1, _INTEGERS[code])
            elif code >= _NEGATIVE:
                values[chosen] = code - 256
            else:
                continue
            is_there[chosen] = True
        self._at = self._at + _SIZE_BYTES.take(head)
        return Integers(values, is_there)

    def floats(self) -> pa.Array:
        """Floating-point numbers, and integers as such; other values count as missing."""
        head, at = self._turn(), self._at
        whole = Cells(self._data, at).integers()
        values, is_there = whole.values.astype(np.float64), whole.is_there
        for code, kind in ((0xCA, ">f4"), (0xCB, ">f8")):
            chosen = np.flatnonzero(head == code)
            if chosen.size:
                values[chosen] = self._numbers(at[chosen] + 1, kind)
                is_there[chosen] = True
        self._at = self._behind(at)
        return pa.array(values, mask=~is_there)

    def booleans(self) -> pa.Array:
        """Truth values; others count as missing."""
        head = self._turn()
        self._at = self._at + 1
        return pa.array(head == _TRUE, mask=(head != _TRUE) & (head != _FALSE))

    def bytes(self) -> pa.Array:
        """Bytes and texts, as bytes; nil is missing."""
        head = self._turn()
        if head.size and _IS_TEXT[head[0]] and (head == head[0]).all():
            width = int(_LENGTH_BYTES[head[0]])
            start = self._at + (1 + width)
            self._at = start + (self._sizes(self._at, width) if width else _SIZE_BYTES[head[0]] - 1)
            return cut(self._data, start, self._at)
        if head.size and (head == _NIL).all():
            self._at = self._at + 1
            return pa.nulls(len(head), pa.binary())
        is_text = _IS_TEXT.take(head)
        if not (is_text | (head == _NIL)).all():
            raise unreadable("a text is of another type")
        widths = _LENGTH_BYTES.take(head)
        start, length = self._at + 1 + widths, _SIZE_BYTES.take(head) - 1
        long = np.flatnonzero(widths)
        if long.size:
            length[long] = self._lengths(self._at[long], widths[long])
        self._at = start + length
        return cut(self._data, start, self._at, is_text)

    def raw(self) -> pa.Array:
        """The values as they are stored."""
        is_last = self._left is not None and self._ends is not None and bool(np.all(self._left == 1))
        self._turn()
        start, self._at = self._at, self._ends if is_last and self._ends is not None else self._behind(self._at)
        return cut(self._data, start, self._at, start < len(self._data) - _PADDING_BYTES)

    def whole(self) -> pa.Array:
        """What each row has from here to its end."""
        assert self._ends is not None
        return cut(self._data, self._at, self._ends)

    def texts(self) -> pa.Array:
        """Texts; nil is missing."""
        return text(self.bytes())

    def hexes(self) -> pa.Array:
        """Bytes as their hex digits; nil is missing."""
        return hexed(self.bytes())

    def record(self) -> Cells:
        """The fields of the record that each row has here, to be read by themselves; nil has none."""
        self._turn()
        inner = Cells(self._data, self._at)
        self._at = self._behind(self._at)
        return inner.entered()

    def trailing_record(self) -> Cells:
        """As `record`, of the last value that is read."""
        self._turn()
        return Cells(self._data, self._at).entered()

    def peek(self, offset: int, kind: str) -> NDArray[Any]:
        """The number of this type that is so many bytes on, whatever it is a part of; nothing is passed over."""
        return self._numbers(self._at + offset, kind)

    def entered(self) -> Cells:
        """The same of a record behind which nothing is to be read, which takes no time."""
        self._turn()
        counts = self._enter()
        first = int(counts[0]) if counts.size else 0
        self._left = first if (counts == first).all() else counts
        return self

    def elements(self, *, is_last: bool = False) -> tuple[Positions, Cells]:
        """The elements of the list that each row has here: which row each is of, and where they are, row by row.

        Cheaper if it is the last value that is read.
        """
        self._turn()
        inner = Cells(self._data, self._at)
        counts = inner._enter()
        first = np.cumsum(counts) - counts
        rows, flat = np.repeat(np.arange(len(self)), counts), np.empty(int(counts.sum()), np.int64)
        at = inner._at
        for place in range(int(counts.max(initial=0))):
            holders = np.flatnonzero(counts > place)
            flat[first[holders] + place] = at[holders]
            passed = np.flatnonzero(counts > place + 1) if is_last else holders
            at = at.copy()
            at[passed] = self._behind(at[passed])
        self._at = at
        return rows, Cells(self._data, flat)

    def trailing_elements(self) -> tuple[Positions, Cells]:
        """As `elements`, of the last value that is read."""
        return self.elements(is_last=True)

    def _enter(self) -> Positions:
        """Go into a list, and tell how many values it has; nil has none."""
        head = self._data.take(self._at)
        widths = _LENGTH_BYTES.take(head)
        counts = np.where(_FACTOR.take(head) == 1, self._lengths(self._at, widths), _CHILDREN.take(head))
        if not ((head == _NIL) | (_FACTOR.take(head) == 1) | ((head >= 0x90) & (head < 0xA0))).all():
            raise unreadable("a list is of another type")
        self._at = self._at + 1 + widths
        return counts


def unreadable(why: str) -> LogCorrupt:
    """The error of rows that are not what they should be."""
    return LogCorrupt(f"rows can't be read as a table: {why}", hint="Run `lineal verify`.")


def unaligned(data: NDArray[np.uint8], kind: str) -> NDArray[Any]:
    """The value of this type that begins at each byte."""
    return np.ndarray((len(data) - np.dtype(kind).itemsize + 1,), kind, data, strides=(1,))


def cut(data: NDArray[np.uint8], start: Positions, end: Positions, is_there: Flags | None = None) -> pa.Array:
    """The bytes between positions.

    Those of one length are gathered. Else Arrow takes every other piece of the whole buffer, without objects too.
    """
    width = int(end[0] - start[0]) if len(start) else 0
    if width and (is_there is None or is_there.all()) and (end - start == width).all():
        gathered = pa.py_buffer(unaligned(data, f"V{width}")[start])
        places = pa.py_buffer(np.arange(len(start) + 1, dtype=np.int32) * width)
        return pa.BinaryArray.from_buffers(pa.binary(), len(start), [None, places, gathered])
    places = np.empty(2 * len(start) + 1, np.int32)
    places[0:-1:2], places[1:-1:2], places[-1] = start, end, len(data)
    pieces = pa.BinaryArray.from_buffers(pa.binary(), 2 * len(start), [None, pa.py_buffer(places), pa.py_buffer(data)])
    return pieces.take(pa.array(np.arange(0, 2 * len(start), 2), mask=None if is_there is None else ~is_there))


def text(raw: pa.Array) -> pa.Array:
    """Bytes as the texts they are; half surrogate pairs, which names of files may hold, become question marks."""
    array = pa.StringArray.from_buffers(len(raw), *_parts(raw))
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        texts = [None if one is None else one.decode("utf-8", "surrogatepass") for one in raw.to_pylist()]
        return pa.array([one and one.encode("utf-8", "replace").decode() for one in texts], pa.string())
    return array


def hexed(raw: pa.Array) -> pa.Array:
    """Bytes as their hex digits."""
    offsets, values, validity = _parts(raw)
    places = np.frombuffer(offsets, np.int32)[: len(raw) + 1]
    digits = _HEX.take(np.frombuffer(values, np.uint8)) if values else np.empty(0, np.uint16)
    return pa.StringArray.from_buffers(len(raw), pa.py_buffer(places * 2), pa.py_buffer(digits), validity)


def _parts(raw: pa.Array) -> tuple[Any, Any, Any]:
    """Offsets, values and validity of a binary array that begins at its buffers' beginning."""
    if raw.offset:
        raw = pa.concat_arrays([raw[:0], raw])
    validity, offsets, values = raw.buffers()
    return offsets, values, validity
