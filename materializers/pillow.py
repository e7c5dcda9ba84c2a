"""Images of Pillow: their pixels as they are in memory, mapped where large; with palette and info.

Of a file that was opened, the frame that it is at. The file's format and name are no part of the image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from PIL import Image, ImagePalette

from ..cas.manifest import Plain
from ..errors import BlobCorrupt, ManifestCorrupt
from .base import Materializer, PartReader, PartWriter, shown
from .previews import preview
from .visualization import Visualization

_PIXEL_BYTES = {
    **dict.fromkeys(("L", "P"), 1),
    **dict.fromkeys(("LA", "La", "PA", "I;16", "I;16B", "I;16L", "I;16N"), 2),
    **dict.fromkeys(("RGB", "YCbCr", "LAB", "HSV"), 3),
    **dict.fromkeys(("RGBA", "RGBa", "RGBX", "CMYK", "I", "F"), 4),
}


class Images(Materializer[Any]):
    """Images of every mode, whatever file they were opened from."""

    format: ClassVar[str] = "PIL.Image/1"

    def save(self, value: Any, parts: PartWriter) -> Plain:
        value.load()
        parts.buffer("pixels", value.tobytes())
        if value.info:
            parts.value("info", dict(value.info), step=".info")
        palette = value.palette if value.mode in ("P", "PA") else None
        if palette is not None:
            parts.buffer("palette", bytes(palette.palette))
        return {"mode": value.mode, "size": list(value.size), "palette": None if palette is None else palette.mode}

    def load(self, head: Any, parts: PartReader) -> Any:
        mode, size = head["mode"], tuple(head["size"])
        if len(size) != 2 or not all(type(length) is int and 0 <= length < 2**31 for length in size):
            raise ManifestCorrupt(f"an image can't have the size {size!r}", where=self.format)
        row_bytes = (size[0] + 7) // 8 if mode == "1" else size[0] * _PIXEL_BYTES[mode]
        if parts.size_bytes("pixels") != row_bytes * size[1]:
            raise BlobCorrupt(f"an image of {row_bytes * size[1]:,} bytes has others", where=self.format)
        if row_bytes * size[1]:
            pixels: Any = parts.buffer("pixels")
            made = Image.frombuffer(mode, size, pixels, "raw", mode, 0, 1)
        else:
            made = Image.new(mode, size)
        if head["palette"] is not None:
            made.palette = ImagePalette.ImagePalette(head["palette"], bytearray(parts.buffer("palette")))
            made.palette.dirty = 1
            made.load()
        if "info" in parts.names():
            made.info = parts.value("info")
        return made

    def metadata(self, value: Any) -> dict[str, Plain]:
        return {"width": value.width, "height": value.height, "mode": shown(value.mode)}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        yield from preview(value)
