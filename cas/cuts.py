"""Cuts: places in a buffer that its content picks, so that bytes are cut at the same places wherever they moved.

Of each row, a fixed number of bytes, the cut is the place with the greatest hash of what stands there. After an edit
the rows hold other bytes, yet most have the same greatest place. So every kind of data has its cuts, about one in each
row, and no threshold fits one kind and fails for another; constant rows are cut where they begin.
Nothing stored depends on where cuts are: they only propose what is then compared.

These are minimizers (Roberts et al., "Reducing storage requirements for biological sequence comparison", 2004),
of rows side by side rather than of a sliding window, which makes them one reduction in numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

BLOCK_BYTES = 256 * 1024
"""What is cut at once; its scratch stays in a second-level cache."""

_PICKED_FIRST_BY_ELEMENTS = 8
_PICKED_BY_ELEMENTS = 64
_PRINT_BYTES = 1024
_PRINT_ELEMENTS_MIN = 256
_CROWDED = 64


def element_bytes(item_bytes: int) -> int:
    """The width that cuts are aligned to: the largest power of two, 8 at most, that divides the item's size."""
    return min(item_bytes & -item_bytes, 8)


class Cutter:
    """Cuts blocks at whole elements. Holds about 1 MiB; one thread at a time may use it.

    Args:
        width: Of an element, in bytes: 1, 2, 4 or 8.
        row_bytes: A power of two, up to `BLOCK_BYTES`; each row has at most one cut.
    """

    def __init__(self, width: int, row_bytes: int) -> None:
        import numpy as np

        self._width = width
        self.row_bytes = row_bytes
        self._row = row_bytes // width
        self._printed = max(_PRINT_BYTES // width, _PRINT_ELEMENTS_MIN)
        self.ahead_bytes = (self._printed + 3) * width
        """How far beyond a place one must see to cut there."""

        places = BLOCK_BYTES // width
        self._hashes = np.empty(places, np.uint16)
        self._tied = np.empty(places, np.bool_)
        self._products = np.empty(places + self._printed + 3 if width > 2 else 0, f"u{width}")
        self._elements = np.empty(len(self._products), np.uint16)
        self._changes = np.empty((2, places + 8), np.uint8 if width == 1 else np.uint16)
        random = np.random.Generator(np.random.PCG64(0))
        self._factors = random.integers(0, 2**63, 256, np.uint64) * np.uint64(2) + np.uint64(1)

    def cut(self, block: Array) -> tuple[Array, Array]:
        """Cut a block: its cuts, as rising offsets, and a 64-bit print of what follows each.

        Where the following bytes are equal the prints are; seldom else, save in data of very low entropy.

        Args:
            block: Bytes, up to `BLOCK_BYTES` to be cut and then `ahead_bytes` to be seen only.
        """
        import numpy as np

        count = (len(block) - self.ahead_bytes) // self._width
        if count <= 0:
            return np.empty(0, np.int64), np.empty(0, np.uint64)
        elements = self._mixed(block)
        rows = -(-count // self._row)
        hashes = self._hashed(elements, count, rows)
        greatest = hashes.max(axis=1)
        tied = np.equal(hashes, greatest[:, None], out=self._tied[: hashes.size].reshape(rows, -1))
        constant = np.flatnonzero(greatest == 0)
        tied[constant, 1:] = False
        places = self._places(np.flatnonzero(tied))
        places = self._picked(elements, places, _PICKED_FIRST_BY_ELEMENTS)
        if len(places) > hashes.size // _CROWDED:
            # What repeats this much is as good at any of its places.
            places = places[:: len(places) * _CROWDED // hashes.size + 1]
        places = self._picked(elements, places, _PICKED_BY_ELEMENTS)
        places = places[np.diff(places // self._row, prepend=-1) != 0]
        return places * self._width, self._digest(elements, places, self._printed)

    def _mixed(self, block: Array) -> Array:
        """One or two bytes for each element, which depend on all of it."""
        import numpy as np

        count = len(block) // self._width
        values = block[: count * self._width].view(f"u{self._width}")
        if self._width <= 2:
            return values
        products = np.multiply(values, values.dtype.type(self._factors[-1]), out=self._products[:count])
        elements = self._elements[:count]
        elements[:] = products.view(np.uint16)[self._width // 2 - 1 :: self._width // 2]
        return elements

    def _hashed(self, elements: Array, count: int, rows: int) -> Array:
        """A hash of each place, by rows: of the two changes between three elements, so that constant ones have 0.

        Single bytes have the even places of a row before the odd ones, as pairs of them are multiplied at once.
        """
        import numpy as np

        filled = rows * self._row
        first, second = self._changes
        np.bitwise_xor(elements[:count], elements[1 : count + 1], out=first[:count])
        first[count : filled + 2] = 0
        hashes = self._hashes[:filled].reshape(rows, -1)
        if self._width == 1:
            second[:filled] = first[1 : filled + 1]
            factor = np.uint16(self._factors[-2] & np.uint64(0xFFFF))
            for lane, changes in enumerate((first, second)):
                pairs = changes[:filled].view(np.uint16).reshape(rows, -1)
                half = slice(lane * self._row // 2, (lane + 1) * self._row // 2)
                np.multiply(pairs, factor, out=hashes[:, half])
        else:
            flat = self._hashes[:filled]
            np.multiply(first[:filled], np.uint16(self._factors[-2] & np.uint64(0xFFFF)), out=flat)
            np.multiply(first[1 : filled + 1], np.uint16(self._factors[-3] & np.uint64(0xFFFF)), out=second[:filled])
            np.add(flat, second[:filled], out=flat)
        return hashes

    def _places(self, slots: Array) -> Array:
        """The places of hashes."""
        if self._width > 1:
            return slots
        half = self._row // 2
        within = slots % self._row
        places: Array = slots - within + within % half * 2 + within // half
        return places

    def _picked(self, elements: Array, places: Array, length: int) -> Array:
        """Of places in the order of rows, those of each row with the greatest hash of so many elements."""
        import numpy as np

        if not len(places):
            return places
        digests = self._digest(elements, places, length)
        starts = np.flatnonzero(np.diff(places // self._row, prepend=-1))
        greatest = np.maximum.reduceat(digests, starts)
        picked: Array = places[digests == np.repeat(greatest, np.diff(starts, append=len(places)))]
        return picked

    def _digest(self, elements: Array, places: Array, length: int) -> Array:
        """A 64-bit hash of some elements from each place on."""
        import numpy as np

        size = length * elements.itemsize
        windows = np.ndarray((len(elements) - length + 1,), f"V{size}", elements, strides=(elements.itemsize,))
        words = windows[places].view(np.uint64).reshape(len(places), size // 8)
        sums = words @ self._factors[: size // 8]
        sums ^= sums >> np.uint64(29)
        sums *= self._factors[-1]
        return sums
