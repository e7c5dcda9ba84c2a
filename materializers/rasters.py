"""Rasters: arrays as pictures, written as PNG (W3C Portable Network Graphics, third edition)."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, Any]

_SIDE_MAX_PX = 512
_SMALL_PX = 256
"""What is smaller is shown larger, each element a square."""
_SHEET_MAX = 16
"""Pictures of a stack that are shown."""
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""By number of channels: grey, grey with alpha, red-green-blue, and that with alpha."""
_SCALE = np.array(
    [(68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141), (39, 173, 129), (92, 200, 99),
     (170, 220, 50), (253, 231, 37)],
    np.float64,
)  # fmt: skip
"""From least to greatest, equal steps looking equal: nine colours of viridis (van der Walt and Smith, 2015)."""


def png(pixels: Pixels) -> bytes:
    """A picture of 8-bit pixels, rows by columns by channels."""
    height, width, channels = pixels.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # Each row begins with its filter: none.
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    kind, data = chunk
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def heat_map(matrix: Pixels) -> bytes:
    """A matrix of numbers, thinned where it is large; what is not finite is transparent."""
    thin = _thinned(matrix)
    with np.errstate(all="ignore"):
        values = thin.astype(np.float64)
        is_finite = np.isfinite(values)
        finite = values[is_finite]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        span = high / 2 - low / 2
        share = np.where(is_finite, (values / 2 - low / 2) / span, 0.0) if span > 0 else np.full(values.shape, 0.5)
    place = np.clip(np.nan_to_num(share), 0, 1) * (len(_SCALE) - 1)
    below = np.minimum(place.astype(np.int64), len(_SCALE) - 2)
    part = (place - below)[..., None]
    colours = _SCALE[below] * (1 - part) + _SCALE[below + 1] * part
    alpha = np.where(is_finite, 255, 0)[..., None]
    return png(_enlarged(np.concatenate([colours, alpha], axis=-1).astype(np.uint8)))


def is_image(array: Pixels) -> bool:
    """Whether an array looks like a picture: of bytes or shares of 1, grey or of three or four channels."""
    if array.ndim == 3 and array.shape[-1] in (3, 4):
        return _is_picture_sized(array.shape[:2]) and _is_of_pixels(array)
    return array.ndim == 2 and array.dtype == np.uint8 and _is_picture_sized(array.shape)


def is_stack(array: Pixels) -> bool:
    """Whether an array looks like pictures one after the other."""
    if array.ndim == 4 and array.shape[-1] in (1, 3, 4):
        return _is_picture_sized(array.shape[1:3]) and _is_of_pixels(array)
    return array.ndim == 3 and array.dtype.kind in "buif" and not is_image(array) and _is_picture_sized(array.shape[1:])


def image(array: Pixels) -> bytes:
    """What looks like a picture as one."""
    thin = _thinned(array)
    return png(_enlarged(_pixels(thin[..., None] if thin.ndim == 2 else thin)))


def sheet(array: Pixels) -> bytes:
    """The first pictures of a stack, side by side."""
    count = min(len(array), _SHEET_MAX)
    across = int(np.ceil(np.sqrt(count)))
    first = array[:count]
    step = max(1, -(-max(first.shape[1:3]) * across // _SIDE_MAX_PX))
    first = first[:, ::step, ::step]
    tiles = _pixels(first[..., None] if first.ndim == 3 else first)
    _, height, width, channels = tiles.shape
    down = -(-count // across)
    whole = np.full((down * (height + 1) - 1, across * (width + 1) - 1, channels), 128, np.uint8)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, across)
        top, left = row * (height + 1), column * (width + 1)
        whole[top : top + height, left : left + width] = tile
    return png(_enlarged(whole))


def _is_picture_sized(sides: tuple[int, ...]) -> bool:
    return min(sides) >= 8 and max(sides) <= 4 * min(sides)


def _is_of_pixels(array: Pixels) -> bool:
    if array.dtype == np.uint8:
        return True
    if array.dtype.kind != "f" or not array.size:
        return False
    some = array.reshape(-1)[:: max(1, array.size // 10_000)] if array.flags.c_contiguous else array[:1, :64]
    return bool(((some >= 0) & (some <= 1)).all())


def _pixels(array: Pixels) -> Pixels:
    """Eight bits a channel; of other numbers the least is dark and the greatest light."""
    if array.dtype == np.uint8:
        return array
    with np.errstate(all="ignore"):
        values = np.nan_to_num(array.astype(np.float64), posinf=0.0, neginf=0.0)
        low, high = float(values.min()), float(values.max())
        if low < 0 or high > 1:
            span = high / 2 - low / 2
            values = (values / 2 - low / 2) / span if span > 0 else np.zeros(values.shape)
    return (np.clip(values, 0, 1) * 255).astype(np.uint8)


def _thinned(array: Pixels) -> Pixels:
    steps = (max(1, -(-side // _SIDE_MAX_PX)) for side in array.shape[:2])
    return array[tuple(slice(None, None, step) for step in steps)]


def _enlarged(pixels: Pixels) -> Pixels:
    times = max(1, _SMALL_PX // max(pixels.shape[:2]))
    return pixels.repeat(times, axis=0).repeat(times, axis=1)
