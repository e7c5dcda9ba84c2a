"""Graphs of any kind as SVG: nodes as dots with names, and what joins them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .markup import Markup, element, escaped, shortened
from .spring import spring_layout
from .svg import BLUE, GREY, drawing, label

_MARGIN = 40.0
_LOOP = 9.0
_NAMED_MAX = 80
"""With more nodes than this, names are only under the pointer."""


def draw_graph(
    title: str,
    names: Sequence[str],
    edges: Sequence[tuple[int, int, str]],
    *,
    is_directed: bool,
) -> Markup:
    """Draw a graph.

    Args:
        title: What it shows.
        names: Of its nodes; not more than a few hundred, as the cost grows with their square.
        edges: From which node to which, by their numbers, and what is said of the edge under the pointer.
        is_directed: Whether edges have arrowheads.
    """
    side = min(900.0, 140.0 + 62.0 * math.sqrt(len(names)))
    layout = spring_layout(len(names), [(one, other) for one, other, _ in edges])
    places = [(_MARGIN + x * side, _MARGIN + y * side) for x, y in layout.tolist()]
    radius = 6.0 if len(names) <= _NAMED_MAX else 4.0
    shapes = [_edge(places[one], places[other], radius, tip, is_directed) for one, other, tip in edges]
    for name, (x, y) in zip(names, places, strict=True):
        tip = element("title", escaped(shortened(name, 1000)))
        shapes.append(element("circle", tip, cx=x, cy=y, r=radius, fill=BLUE))
        if len(names) <= _NAMED_MAX:
            # Away from the nearer border, so that it stays on the page.
            is_right = x < _MARGIN + side * 0.6
            at = x + radius + 3 if is_right else x - radius - 3
            shapes.append(label(at, y + 4, name, size=11, anchor="start" if is_right else "end", room=130))
    return drawing(side + 2 * _MARGIN, side + 2 * _MARGIN, title, *shapes)


def _edge(one: tuple[float, float], other: tuple[float, float], radius: float, tip: str, is_directed: bool) -> Markup:
    inside = element("title", escaped(tip)) if tip else None
    (x1, y1), (x2, y2) = one, other
    length = math.hypot(x2 - x1, y2 - y1)
    if not length:
        return element("circle", inside, cx=x1, cy=y1 - _LOOP, r=_LOOP, fill="none", stroke=GREY, stroke_opacity=0.7)
    along, across = (x2 - x1) / length, (y2 - y1) / length
    end_x, end_y = x2 - along * radius, y2 - across * radius
    shaft = element("path", d=f"M{x1:.1f} {y1:.1f}L{end_x:.1f} {end_y:.1f}", stroke=GREY, stroke_opacity=0.7)
    if not is_directed:
        return element("g", inside, shaft)
    back_x, back_y = end_x - along * 8, end_y - across * 8
    head = (
        f"M{end_x:.1f} {end_y:.1f}L{back_x - across * 3.5:.1f} {back_y + along * 3.5:.1f}"
        f"L{back_x + across * 3.5:.1f} {back_y - along * 3.5:.1f}Z"
    )
    return element("g", inside, shaft, element("path", d=head, fill=GREY))
