"""Small pictures of large images, as PNG."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from .visualization import Visualization

_LONGEST_PX = 512
_DIRECT = ("1", "L", "LA", "RGB", "RGBA")
_MEASURED = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
"""Modes whose pixels are measurements: the lowest is shown black, the highest white."""


def preview(image: Any) -> Iterator[Visualization]:
    """The image, at most 512 pixels long and wide; nothing of one without pixels."""
    if not image.width or not image.height:
        return
    factor = max(1, max(image.size) // (2 * _LONGEST_PX))
    # Reduced first: to convert or to filter a large image whole would take its memory once more.
    small = image.reduce(factor) if factor > 1 and image.mode not in ("1", "P", "PA", *_MEASURED) else image
    if small is image and max(image.size) > _LONGEST_PX:
        small = image.resize(_fitting(image.size), Image.Resampling.NEAREST)
    shown = _convertible(small)
    if max(shown.size) > _LONGEST_PX:
        shown = shown.resize(_fitting(shown.size), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    shown.save(stream, "PNG")
    yield Visualization("image" if shown.size == image.size else "thumbnail", "image/png", stream.getvalue())


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    scale = _LONGEST_PX / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _convertible(image: Any) -> Any:
    """The image in a mode that PNG and filters know."""
    if image.mode in _MEASURED:
        pixels = np.asarray(image).astype(np.float64)
        finite = pixels[np.isfinite(pixels)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        scaled = np.clip((np.nan_to_num(pixels, nan=low) - low) / ((high - low) or 1.0), 0, 1)
        return Image.fromarray((scaled * 255).astype(np.uint8))
    if image.mode in _DIRECT:
        return Image.frombytes(image.mode, image.size, image.tobytes())  # without its info
    has_alpha = image.mode in ("PA", "RGBa", "La") or "transparency" in image.info
    return image.convert("RGBA" if has_alpha else "RGB")
