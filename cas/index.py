"""Cuts of the old bytes, to be found by their prints."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .cuts import BLOCK_BYTES, Cutter
from .source import Reader

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]


class Index:
    """Where a part of some bytes is cut: 16 bytes for each row of the cutter, half as much again while it is made.

    Args:
        reader: Of the bytes.
        start: Of the part; a multiple of the element width.
        stop: Of the part.
        cutter: Cuts it.
    """

    def __init__(self, reader: Reader, start: int, stop: int, cutter: Cutter) -> None:
        import numpy as np

        rows = sum(-(-min(BLOCK_BYTES, stop - at) // cutter.row_bytes) for at in range(start, stop, BLOCK_BYTES))
        places, prints = np.empty(rows, np.int64), np.empty(rows, np.uint64)
        filled = 0
        for at in range(start, stop, BLOCK_BYTES):
            end = min(at + BLOCK_BYTES, stop)
            found, seen = cutter.cut(reader.read(at, min(end + cutter.ahead_bytes, reader.size_bytes)))
            places[filled : filled + len(found)] = found + at
            prints[filled : filled + len(found)] = seen
            filled += len(found)
        order = np.argsort(prints[:filled], kind="stable")
        self._places = places[order]
        self._prints = prints[order]

    def hits(self, places: Array, prints: Array, shift: int) -> Iterator[tuple[int, list[int]]]:
        """Of the places, those whose print is here, each with up to four places in these bytes; the rarest first.

        Of many they are the ones nearest to what the shift lets expect, and the first and last of all.
        """
        import numpy as np

        left = np.searchsorted(self._prints, prints, "left")
        right = np.searchsorted(self._prints, prints, "right")
        counts = right - left
        known = np.flatnonzero(counts)
        for which in known[np.argsort(counts[known], kind="stable")].tolist():
            place, low, high = int(places[which]), int(left[which]), int(right[which])
            middle = bisect_left(self._places, place + shift, low, high)
            chosen = {low, high - 1, *range(max(low, middle - 1), min(high, middle + 1))}
            yield place, sorted(int(self._places[equal]) for equal in chosen)
