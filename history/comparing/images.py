"""Images, to be shown beside each other: those of Pillow, and files that say they are one."""

from __future__ import annotations

import base64
import io
import sys
from typing import Any, NamedTuple

from ...materializers.files import File
from .told import Picture

IMAGE_MAX_BYTES = 8 * 1024 * 1024
"""A larger file is not shown."""
SIDE_MAX_PIXELS = 640
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
}


class Image(NamedTuple):
    """An image as a page shows it."""

    media_type: str
    data: bytes
    title: str
    whole: bytes
    """What it is in full, where it is shown smaller."""


def image_of(value: Any) -> Image | None:
    """The image that a value is; None for what is none, or is too large."""
    if isinstance(value, File | bytes):
        return _of_file(value)
    pillow = sys.modules.get("PIL.Image")
    return _of_pillow(value) if pillow is not None and isinstance(value, pillow.Image) else None


def pictures_of(*images: Image) -> tuple[Picture, ...]:
    """Two images, the earlier one first."""
    return tuple(
        Picture(f"{when}: {image.title}", image.media_type, base64.b64encode(image.data).decode("ascii"))
        for when, image in zip(("before", "now"), images, strict=True)
    )


def _of_file(value: File | bytes) -> Image | None:
    size_bytes = len(value) if isinstance(value, bytes) else value.size_bytes
    if not 0 < size_bytes <= IMAGE_MAX_BYTES:
        return None
    data = value if isinstance(value, bytes) else value.read_bytes()
    media_type = next((kind for start, kind in _SIGNATURES.items() if data.startswith(start)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        media_type = "image/webp"
    return None if media_type is None else Image(media_type, data, f"{size_bytes:,} bytes", data)


def _of_pillow(value: Any) -> Image:
    title = f"{value.width} × {value.height}, {value.mode}"
    small = value if value.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else value.convert("RGB")
    if max(small.size) > SIDE_MAX_PIXELS:
        small = small.copy()
        small.thumbnail((SIDE_MAX_PIXELS, SIDE_MAX_PIXELS))
    written = io.BytesIO()
    small.save(written, "PNG")
    return Image("image/png", written.getvalue(), title, value.tobytes())
