"""Heads: what the first byte of a msgpack value says of it, by that byte. Format: msgpack's specification."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cuts import Flags

NIL, FALSE, TRUE, NEGATIVE = 0xC0, 0xC2, 0xC3, 0xE0
INTEGERS = {
    0xCC: ">u1",
    0xCD: ">u2",
    0xCE: ">u4",
    0xCF: ">u8",
    0xD0: ">i1",
    0xD1: ">i2",
    0xD2: ">i4",
    0xD3: ">i8",
}
"""By head, the type of the number that follows."""
FLOATS = {0xCA: ">f4", 0xCB: ">f8"}
"""The same of floating-point numbers."""


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
    for first, width in ((0xCA, 4), (0xCB, 8), *((code, np.dtype(kind).itemsize) for code, kind in INTEGERS.items())):
        heads.size_bytes[first] += width
    for first, each in ((0xC4, 0), (0xD9, 0), (0xDC, 1), (0xDE, 2)):
        for place, width in enumerate((1, 2, 4) if each == 0 else (2, 4)):
            heads.size_bytes[first + place] += width
            heads.length_bytes[first + place] = width
            heads.factor[first + place] = each
            heads.is_text[first + place] = each == 0
    return heads


def _shifts() -> NDArray[np.int64]:
    shifts = np.zeros(256, np.int64)
    for code, kind in INTEGERS.items():
        shifts[code] = 64 - 8 * np.dtype(kind).itemsize
    return shifts


SHIFTS = _shifts()
"""By head of an integer, how far the eight bytes behind it are shifted to the right to give it."""
IS_SIGNED = np.isin(np.arange(256), [code for code, kind in INTEGERS.items() if "i" in kind])
IS_SHORT = (np.arange(256) < 0x80) | (np.arange(256) >= NEGATIVE)
"""Whether a head is an integer by itself."""
IS_INTEGER = IS_SHORT | (SHIFTS > 0) | np.isin(np.arange(256), [0xCF, 0xD3])
SIZE_BYTES, CHILDREN, LENGTH_BYTES, FACTOR, IS_TEXT = _heads()
IS_LIST = (FACTOR == 1) | (np.arange(256) & 0xF0 == 0x90)
IS_MAP = (FACTOR == 2) | (np.arange(256) & 0xF0 == 0x80)
OPENED = CHILDREN - 1
"""How many more values are to be read after a head than before it, as far as it tells."""
