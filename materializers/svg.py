"""Drawings in SVG. Their colours can be read on light and on dark; text takes the colour of what is around it."""

from __future__ import annotations

from .markup import Markup, element, escaped, shortened

BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#4a8fdc", "#d9822b", "#3d9f62", "#db5a56", "#9b72d8", "#8a8f98"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, "#2fa5a5", "#c76ba4", "#9a8f2e")
"""In the order in which series take them."""
FAINT = "rgba(128,128,128,0.16)"
"""What lies behind, and lines between."""

_CHARACTER_WIDTH = 0.58
"""Of the font's size, on average."""
# Where the drawing is a document of its own, or an image in one, it takes no colour from what is around it; a notebook
# may be dark where the rest of the browser is not.
_ALONE = Markup(
    "<style>svg:root{color:#1c1e21;background:#fff;color-scheme:light dark}"
    "@media (prefers-color-scheme:dark){svg:root{color:#e4e6e9;background:#16181b}}</style>"
)


def drawing(width: float, height: float, title: str, *shapes: Markup) -> Markup:
    """A whole drawing, which is a file of its own and may stand in a page as well.

    Args:
        width: In pixels; it shrinks where there is less room.
        height: In pixels.
        title: What it shows, for those who can't see it.
        shapes: The rest, what is in front last.
    """
    return element(
        "svg",
        element("title", escaped(title)),
        _ALONE,
        *shapes,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        role="img",
        style="max-width:100%;height:auto;font-family:system-ui,sans-serif",
    )


def label(
    x: float,
    y: float,
    text: object,
    *,
    size: float = 12,
    anchor: str = "start",
    room: float | None = None,
    opacity: float | None = None,
    weight: str | None = None,
    fill: str = "currentColor",
) -> Markup:
    """A line of text at its baseline.

    Args:
        x: Where it starts, ends or has its middle, as ``anchor`` says.
        y: Of the baseline.
        text: Cut where there is no room; the whole of it is shown under the pointer.
        size: Of the font, in pixels.
        anchor: ``start``, ``middle`` or ``end``.
        room: Its greatest width, in pixels.
        opacity: Below 1 for what matters less.
        weight: As in ``bold``.
        fill: By default the colour of the text around the drawing.
    """
    shown = str(text) if room is None else shortened(text, max(2, int(room / (size * _CHARACTER_WIDTH))))
    whole = element("title", escaped(shortened(text, 1000))) if shown != str(text) else None
    return element(
        "text",
        whole,
        escaped(shown),
        x=x,
        y=y,
        font_size=size,
        text_anchor=None if anchor == "start" else anchor,
        opacity=opacity,
        font_weight=weight,
        fill=fill,
    )


def box(x: float, y: float, width: float, height: float, fill: str, *, tip: object = None, **more: object) -> Markup:
    """A rectangle; the tip is shown under the pointer, further attributes are as for `element`."""
    inside = None if tip is None else element("title", escaped(tip))
    return element("rect", inside, x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), fill=fill, **more)


def line(x1: float, y1: float, x2: float, y2: float, stroke: str = FAINT, **more: object) -> Markup:
    """A straight line; further attributes are as for `element`."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=stroke, **more)


def text_width(text: str, size: float = 12) -> float:
    """About how wide a text is, in pixels."""
    return len(text) * size * _CHARACTER_WIDTH
