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

_PICKED_BY_ELEMENTS = 64
_PRINT_BYTES = 1024
_PRINT_ELEMENTS_MIN = 256
_CROWDED = 16
_STEPS = 1, 2, 4
_SEEN_BESIDE = 1 + sum(_STEPS)


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
        self._row_bits = (row_bytes // width).bit_length() - 1
        printed = max(_PRINT_BYTES // width, _PRINT_ELEMENTS_MIN)
        self._printed = printed
        self.ahead_bytes = (printed + _SEEN_BESIDE) * width
        """How far beyond a place one must see to cut there."""

        places = BLOCK_BYTES // width
        narrow = np.uint8 if width == 1 else np.uint16
        self._products = np.empty(places + printed + _SEEN_BESIDE if width > 2 else 0, f"u{width}")
        self._elements = np.empty(len(self._products), narrow)
        self._hashes = np.empty(places + _SEEN_BESIDE, narrow)
        self._added = np.empty(places + _SEEN_BESIDE, narrow)
        self._tied = np.empty(places, np.bool_)
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
        hashes = self._hashed(elements, count)
        greatest = hashes.max(axis=1)
        tied = self._tied[: hashes.size].reshape(hashes.shape)
        np.equal(hashes, greatest[:, None], out=tied)
        tied[greatest == 0, 1:] = False
        places = np.flatnonzero(tied)
        if len(places) > hashes.size // _CROWDED:
            # What repeats this much is as good at any of its places.
            places = places[:: len(places) * _CROWDED // hashes.size + 1]
        places = self._picked(elements, places)
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

    def _hashed(self, elements: Array, count: int) -> Array:
        """A hash of each place, by rows: of the changes between nine elements, so that equal ones have 0."""
        import numpy as np

        rows = -(-count >> self._row_bits)
        filled = rows << self._row_bits
        hashes = self._hashes[: filled + _SEEN_BESIDE]
        np.bitwise_xor(elements[:count], elements[1 : count + 1], out=hashes[:count])
        hashes[count:] = 0
        for step, factor in zip(_STEPS, self._factors.view(hashes.dtype), strict=False):
            added = np.multiply(hashes[step:], factor, out=self._added[: len(hashes) - step])
            np.add(hashes[:-step], added, out=hashes[:-step])
        return hashes[:filled].reshape(rows, -1)

    def _picked(self, elements: Array, places: Array) -> Array:
        """Of places that tie, the first one of each row with the greatest hash of more elements."""
        import numpy as np

        if not len(places):
            return places
        digests = self._digest(elements, places, _PICKED_BY_ELEMENTS)
        begins = _begins(places >> self._row_bits)
        starts = np.flatnonzero(begins)
        greatest = np.maximum.reduceat(digests, starts)
        winners = places[digests == greatest[np.cumsum(begins) - 1]]
        picked: Array = winners[_begins(winners >> self._row_bits)]
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


def _begins(rows: Array) -> Array:
    """Whether each begins a row that the one before it is not in."""
    import numpy as np

    begins = np.ones(len(rows), np.bool_)
    np.not_equal(rows[1:], rows[:-1], out=begins[1:])
    return begins
