"""Values: bytes that pages of rows consist of, put together to be read by columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from .heads import NIL
from .packed import PADDING_BYTES, Cells


class Values:
    """Values of rows, one behind the other."""

    def __init__(self) -> None:
        """Have none yet."""
        self._data = np.empty(PADDING_BYTES, np.uint8)
        self._lengths: list[int] = []
        self.size_bytes = 0

    @classmethod
    def of(cls, values: Sequence[bytes | memoryview]) -> Self:
        """Take these."""
        self = cls()
        self.add(values)
        return self

    def clear(self) -> None:
        """Have none any more. What was read of them stays; `cells` of before are no more to be read."""
        self._lengths = []
        self.size_bytes = 0

    def add(self, values: Sequence[bytes | memoryview]) -> None:
        """Put these behind the others. They are best a few at a time: fresh in the processor's cache."""
        piece = b"".join(values)
        end = self.size_bytes + len(piece)
        if end + PADDING_BYTES > len(self._data):
            before, self._data = self._data, np.empty(end + end // 2 + PADDING_BYTES, np.uint8)
            self._data[: self.size_bytes] = before[: self.size_bytes]
        self._data[self.size_bytes : end] = np.frombuffer(piece, np.uint8)
        self._lengths += map(len, values)
        self.size_bytes = end

    def __len__(self) -> int:
        return len(self._lengths)

    def at(self, place: int) -> bytes:
        """One of them."""
        start = sum(self._lengths[:place])
        return self._data[start : start + self._lengths[place]].tobytes()

    def cells(self, start: int = 0) -> Cells:
        """Where each of them is read from a byte on."""
        lengths = np.array(self._lengths, np.int64)
        ends = np.cumsum(lengths)
        data = self._data[: self.size_bytes + PADDING_BYTES]
        data[self.size_bytes :] = NIL
        return Cells(data, ends - lengths + start, ends=ends)
