"""Keys of projections' rows read by columns: what `rows.key` has put together, part by part."""

from __future__ import annotations

from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..events.rows import STAMP_BYTES
from .cuts import Flags, Positions, cut, hexed, text, unaligned

_DIGEST_BYTES = 32
IS_DIGEST = 0xFF
"""First byte of a text that is there as its digest, being too long."""


class Keys:
    """Keys of many rows, without the table's letter. Each method reads a part of every key, and goes on to the next."""

    def __init__(self, data: NDArray[np.uint8], at: Positions, ends: Positions) -> None:
        """Read between these positions."""
        self._data = data
        self._at = at
        self._ends = ends

    def __len__(self) -> int:
        return len(self._at)

    def rest(self) -> pa.Array:
        """What is not read yet, as bytes."""
        return cut(self._data, self._at, self._ends)

    def digests(self) -> pa.Array:
        """A digest, in hex."""
        return hexed(self._passed(self._at, np.full(len(self), _DIGEST_BYTES)))

    def texts(self) -> tuple[pa.Array, Flags]:
        """Texts, and which of them are missing, since the key has no more than their digest."""
        length, is_digest = self._lengths()
        found = self._passed(self._at + 1, length)
        return text(pc.if_else(pa.array(is_digest), None, found) if is_digest.any() else found), is_digest

    def skip_text(self) -> Self:
        """Pass over a text."""
        self._at = self._at + 1 + self._lengths()[0]
        return self

    def _lengths(self) -> tuple[Positions, Flags]:
        length = self._data.take(self._at).astype(np.int64)
        is_digest = length == IS_DIGEST
        length[is_digest] = _DIGEST_BYTES
        return length, is_digest

    def letters(self) -> NDArray[np.uint8]:
        """A byte."""
        found = self._data.take(self._at)
        self._at = self._at + 1
        return found

    def where(self, chosen: Positions) -> Keys:
        """Some of them."""
        return Keys(self._data, self._at[chosen], self._ends[chosen])

    def hexes(self) -> pa.Array:
        """Bytes behind their length, in hex."""
        return hexed(self._passed(self._at + 1, self._data.take(self._at).astype(np.int64)))

    def _passed(self, start: Positions, length: Positions) -> pa.Array:
        self._at = start + length
        return cut(self._data, start, self._at)


class Places:
    """Where rows are in a table, in order: keys with the events that made the rows."""

    def __init__(self, places: list[bytes]) -> None:
        """Take apart these places."""
        lengths = np.fromiter(map(len, places), np.int64, len(places))
        self._data = np.frombuffer(b"".join(places), np.uint8)
        self._ends = np.cumsum(lengths)
        self._starts = self._ends - lengths
        self.seqs: Positions = np.empty(0, np.int64)
        """The events that made the rows."""
        if places:
            self.seqs = unaligned(self._data, ">u8")[self._ends - STAMP_BYTES].astype(np.int64)

    def newest(self, made: Positions) -> Positions:
        """Which of some rows are the last of their keys among these."""
        if not made.size:
            return made
        keys = cut(self._data, self._starts[made], self._ends[made] - STAMP_BYTES)
        is_last = np.ones(len(made), np.bool_)
        is_last[:-1] = pc.not_equal(keys[:-1], keys[1:]).to_numpy(zero_copy_only=False)
        return made[is_last]

    def keys(self, chosen: Positions) -> Keys:
        """The keys of some rows."""
        return Keys(self._data, self._starts[chosen] + 1, self._ends[chosen] - STAMP_BYTES)
