"""Figures of matplotlib: pickled, and beside that drawn as SVG and PNG, which anybody may look at."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, ClassVar

import matplotlib

from ..cas.manifest import Plain
from .base import Materializer, PartReader, PartWriter
from .visualization import Visualization

_FORMATS = {"svg": "image/svg+xml", "png": "image/png"}
_DOTS_PER_INCH = 144
_SHOWN_LONGEST_PX = 2000


class Figure(Materializer[Any]):
    """Figures, which may be drawn on and saved on again."""

    format: ClassVar[str] = "matplotlib.Figure/1"

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.value("figure", value, pickled=True)
        for kind in _FORMATS:
            parts.buffer(kind, _drawn(value, kind))
        return None

    def load(self, head: Any, parts: PartReader) -> Any:
        return parts.value("figure")

    def metadata(self, value: Any) -> dict[str, Plain]:
        width, height = value.get_size_inches()
        return {"axes": len(value.axes), "width_inches": float(width), "height_inches": float(height)}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        for kind, media_type in _FORMATS.items():
            name = "figure" if kind == "svg" else "figure as pixels"
            yield Visualization(name, media_type, _drawn(value, kind, _shown_dots_per_inch(value)))


def _shown_dots_per_inch(figure: Any) -> float:
    """As many as a figure is kept with, unless that makes it larger than can be looked at."""
    return min(_DOTS_PER_INCH, _SHOWN_LONGEST_PX / max(float(max(figure.get_size_inches())), 1e-3))


def _drawn(figure: Any, kind: str, dots_per_inch: float = _DOTS_PER_INCH) -> bytes:
    stream = io.BytesIO()
    # Without these, two drawings of one figure differ.
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with matplotlib.rc_context({"svg.hashsalt": "figure"}):
        figure.savefig(stream, format=kind, metadata=metadata, dpi=dots_per_inch)
    return stream.getvalue()
