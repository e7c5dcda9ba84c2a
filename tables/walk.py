"""Walking over msgpack: where values end that begin at positions, whatever they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cuts import Positions, are_alike, unaligned
from .heads import FACTOR, LENGTH_BYTES, OPENED, SIZE_BYTES

Data = NDArray[np.uint8]


def lengths_of(data: Data, at: Positions, widths: Positions) -> Positions:
    """The big-endian numbers of these widths after the first byte."""
    lengths = data[at + 1].astype(np.int64)
    for width in (2, 4):
        chosen = np.flatnonzero(widths == width)
        if chosen.size:
            lengths[chosen] = numbers(data, at[chosen] + 1, f">u{width}")
    return lengths


def numbers(data: Data, at: Positions, kind: str) -> NDArray[Any]:
    """The number of this type that begins at each position."""
    return unaligned(data, kind)[at]


def behind(data: Data, at: Positions, values: Positions | int = 1) -> Positions:
    """Where the values end that begin at these positions: so many each.

    Each turn passes one head of every row that is still open; `take` costs half of what brackets do.
    """
    if isinstance(values, int):
        at, values = _behind_alike(data, at, values)
        if values == 0:
            return at
    left = np.full(len(at), values) if isinstance(values, int) else values
    ends, rows = at.copy(), left.nonzero()[0]
    if len(rows) < len(at):
        at, left = at.take(rows), left.take(rows)
    while rows.size:
        head = data.take(at)
        left = left + OPENED.take(head)
        at = at + SIZE_BYTES.take(head)
        long = LENGTH_BYTES.take(head).nonzero()[0]
        if long.size:
            _pass_counted(data, head.take(long), long, left, at)
        open_ = left.nonzero()[0]
        if len(open_) < len(rows):
            ends[rows] = at  # Of those that are still open until a later turn says better.
            rows, at, left = rows.take(open_), at.take(open_), left.take(open_)
    return ends


def _behind_alike(data: Data, at: Positions, left: int) -> tuple[Positions, int]:
    """The same as far as the rows have the same structure, as most events of a type have; how many are left then.

    It takes a fraction of the time: what all have in common is counted once.
    """
    while left and at.size:
        head = data.take(at)
        first = int(head[0])
        width, opened = int(LENGTH_BYTES[first]), int(OPENED[first])
        if not are_alike(head):
            if LENGTH_BYTES.take(head).any() or (OPENED.take(head) != opened).any():
                break
            at = at + SIZE_BYTES.take(head)
        elif width == 0:
            at = at + SIZE_BYTES[first]
        elif FACTOR[first] == 0:
            at = at + (sizes_of(data, at, width) + int(SIZE_BYTES[first]))
        else:
            break
        left += opened
    return at, left


def sizes_of(data: Data, at: Positions, width: int) -> Positions | int:
    """The big-endian numbers of one width after the first byte; the one that it is if all have the same."""
    sizes = data[1:].take(at) if width == 1 else numbers(data, at + 1, f">u{width}")
    return int(sizes[0]) if are_alike(sizes) else sizes.astype(np.int64)


def _pass_counted(data: Data, head: NDArray[np.uint8], long: Positions, left: Positions, at: Positions) -> None:
    """Count what the lengths say that follow some heads, whose values would end without it at these positions."""
    widths, factors = LENGTH_BYTES.take(head), FACTOR.take(head)
    lengths = lengths_of(data, at.take(long) - SIZE_BYTES.take(head), widths)
    left[long] += lengths * factors
    at[long] += np.where(factors == 0, lengths, 0)
