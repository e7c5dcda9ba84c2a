"""Pictures of graphs as SVG: no scripts, nothing loaded from elsewhere, legible on light and dark pages alike."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

from ..materializers.markup import Markup, element, escaped, joined
from .graph import Graph, Vertex, printable
from .layered import Gaps, Layout, Place, Size, layout

Direction = Literal["right", "down"]
"""Where edges lead on the page."""

VERTICES_MAX = 150
"""So many a picture shows, if not told otherwise: more can't be taken in."""

_TITLE_PX, _DETAIL_PX, _LINE_PX = 13.0, 11.0, 16.0
_PAD_X, _PAD_Y, _MARGIN = 12.0, 8.0, 16.0
_TEXT_MAX_PX = 240.0
_GAPS = {"right": Gaps(56.0, 16.0), "down": Gaps(40.0, 28.0)}
_STATUSES = frozenset({"completed", "cached", "failed", "running", "skipped", "cancelled", "interrupted"})

_STYLE = """
.lineal-graph{color-scheme:light dark;font-family:system-ui,-apple-system,"Segoe UI",\
"Noto Sans","DejaVu Sans",sans-serif;--page:#ffffff;--card:#ffffff;--step:#eef2f9;--line:#9aa4b2;--text:#1b2430;\
--soft:#5b6675;--focus:#2563eb;--completed:#15803d;--cached:#7c3aed;--failed:#dc2626;--running:#0284c7;--idle:#8a94a3}
@media (prefers-color-scheme:dark){.lineal-graph{--page:#14181f;--card:#1d232d;--step:#26303f;--line:#6b7686;\
--text:#e8edf4;--soft:#a4afbd;--focus:#60a5fa;--completed:#4ade80;--cached:#c4b5fd;--failed:#f87171;\
--running:#38bdf8;--idle:#8a94a3}}
.lineal-graph .page{fill:var(--page)}
.lineal-graph .box{fill:var(--card);stroke:var(--line);stroke-width:1}
.lineal-graph .step .box{fill:var(--step)}
.lineal-graph .focus .box{stroke:var(--focus);stroke-width:2.5}
.lineal-graph .title{fill:var(--text);font-size:13px;font-weight:600}
.lineal-graph .detail{fill:var(--soft);font-size:11px}
.lineal-graph .note{fill:var(--soft);font-size:12px}
.lineal-graph .edge{fill:none;stroke:var(--line);stroke-width:1.4}
.lineal-graph .head{fill:var(--line);stroke:none}
.lineal-graph .mark{fill:var(--idle)}
.lineal-graph .completed .mark{fill:var(--completed)}
.lineal-graph .cached .mark{fill:var(--cached)}
.lineal-graph .failed .mark{fill:var(--failed)}
.lineal-graph .running .mark{fill:var(--running)}
"""


def svg(graph: Graph, *, direction: Direction = "right", vertices_max: int = VERTICES_MAX) -> Markup:
    """Draw a graph. What it has beyond so many vertices is left out, nearest kept, and counted in a note.

    Cost: about 0.1 s for 300 vertices.
    """
    shown = graph.bounded(vertices_max)
    is_right = direction == "right"
    boxes = {name: _box(vertex) for name, vertex in shown.vertices.items()}
    sizes = {name: Size(*(box if is_right else box[::-1])) for name, box in boxes.items()}
    placed = layout(sizes, [(edge.source, edge.target) for edge in shown.edges], _GAPS[direction])
    note = _note(graph, shown)
    wide, high = placed.size if is_right else placed.size[::-1]
    width = round(max(wide, _text_px(note, _DETAIL_PX + 1), 40.0) + 2 * _MARGIN)
    height = round(high + 2 * _MARGIN + (24.0 if note else 0.0))
    parts = [*_edges(shown, placed, is_right)]
    for name, place in placed.places.items():
        x, y = place if is_right else place[::-1]
        parts.append(_vertex(shown.vertices[name], x - boxes[name][0] / 2, y - boxes[name][1] / 2, boxes[name]))
    parts += [element("text", escaped(note), class_="note", x=0, y=high + 22)] if note else []
    return element(
        "svg",
        element("title", _text(graph.title or "graph")),
        element("style", Markup(_STYLE)),
        element("rect", class_="page", width=width, height=height, rx=6),
        element("g", *parts, transform=f"translate({_MARGIN:.0f} {_MARGIN:.0f})"),
        xmlns="http://www.w3.org/2000/svg",
        class_="lineal-graph",
        role="img",
        width=width,
        height=height,
        viewBox=f"0 0 {width} {height}",
    )


def _text(shown: str) -> Markup:
    return escaped(printable(shown))


def _note(graph: Graph, shown: Graph) -> str:
    if not shown.left_out:
        return "" if shown.vertices else "nothing to draw"
    return f"and {shown.left_out:,} more, nearest shown" if graph is not shown else f"and {shown.left_out:,} more"


def _lines(vertex: Vertex) -> list[tuple[str, str, float]]:
    """The lines in a box: class, text cut to size, and its width."""
    lines = [("title", vertex.title, _TITLE_PX * 1.06), *(("detail", one, _DETAIL_PX) for one in vertex.details)]
    if vertex.left_out:
        lines.append(("detail", f"+ {vertex.left_out:,} more", _DETAIL_PX))
    return [(kind, cut := _cut(line, size), _text_px(cut, size)) for kind, line, size in lines]


def _box(vertex: Vertex) -> tuple[float, float]:
    lines = _lines(vertex)
    mark = 10.0 if vertex.status is not None else 0.0
    return max(width for *_, width in lines) + 2 * _PAD_X + mark, _LINE_PX * len(lines) + 2 * _PAD_Y


def _vertex(vertex: Vertex, x: float, y: float, box: tuple[float, float]) -> Markup:
    width, height = box
    status = vertex.status if vertex.status in _STATUSES else None
    kind = "step" if vertex.kind == "step" else "artifact"
    classes = [kind, *([status] if status else []), *(["focus"] if vertex.is_focus else [])]
    radius = 4.0 if kind == "step" else min(height / 2, 14.0)
    left = _PAD_X + (0.0 if vertex.status is None else 10.0)
    mark = element("circle", class_="mark", cx=_PAD_X + 2, cy=_PAD_Y + _LINE_PX / 2, r=4)
    inside = joined(
        element("title", _tooltip(vertex)),
        element("rect", class_="box", width=width, height=height, rx=radius),
        None if vertex.status is None else mark,
        *(
            element("text", _text(line), class_=kind, x=left, y=_PAD_Y + number * _LINE_PX + 12)
            for number, (kind, line, _) in enumerate(_lines(vertex))
        ),
    )
    if vertex.link is not None and vertex.link.startswith("#"):
        inside = element("a", inside, href=printable(vertex.link))
    return element("g", inside, class_=" ".join(classes), transform=f"translate({x:.1f} {y:.1f})")


def _tooltip(vertex: Vertex) -> Markup:
    lines = vertex.tooltip.splitlines() or [vertex.title, *([vertex.status] if vertex.status else []), *vertex.details]
    return Markup("\n".join(map(_text, lines)))


def _edges(graph: Graph, placed: Layout, is_right: bool) -> Iterator[Markup]:
    labels: dict[tuple[str, str], dict[str, None]] = {}
    for source, target, label in graph.edges:
        labels.setdefault((source, target), {}).update({label: None} if label else {})
    for pair, route in placed.routes.items():
        points = [place if is_right else Place(place.across, place.along) for place in route]
        title = element("title", _text(", ".join(labels[pair]))) if labels[pair] else None
        yield element("path", title, class_="edge", d=_curve(points, is_right))
        yield element("polygon", class_="head", points=_head(points[-3], points[-1], is_right))


def _curve(points: Sequence[Place], is_right: bool) -> str:
    drawn = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for number, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
        if number % 2 == 0:
            drawn.append(f"L{x1:.1f} {y1:.1f}")
        elif is_right:
            drawn.append(f"C{(x0 + x1) / 2:.1f} {y0:.1f} {(x0 + x1) / 2:.1f} {y1:.1f} {x1:.1f} {y1:.1f}")
        else:
            drawn.append(f"C{x0:.1f} {(y0 + y1) / 2:.1f} {x1:.1f} {(y0 + y1) / 2:.1f} {x1:.1f} {y1:.1f}")
    return "".join(drawn)


def _head(before: Place, tip: Place, is_right: bool) -> str:
    (x, y), back = tip, -7.0
    if (tip[0] < before[0]) if is_right else (tip[1] < before[1]):
        back = 7.0
    base = [(x + back, y - 3.5), (x + back, y + 3.5)] if is_right else [(x - 3.5, y + back), (x + 3.5, y + back)]
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in [tip, *base])


def _text_px(shown: str, size_px: float) -> float:
    """About how wide a text is, rather too wide than too narrow for the usual fonts."""
    return sum(map(_width_em, shown)) * size_px


def _width_em(character: str) -> float:
    if character in " .,:;|!'ijlI()[]{}/ft-":
        return 0.42
    if character in "mwMW@%—…":
        return 0.95
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if not character.isprintable():
        return 3.6
    return 0.70 if character.isupper() else 0.62


def _cut(shown: str, size_px: float) -> str:
    """A text with its middle left out, where it is too wide for a box."""
    if _text_px(shown, size_px) <= _TEXT_MAX_PX:
        return shown
    keep, width = 0, 0.0
    while keep < len(shown) // 2:
        width += (_width_em(shown[keep]) + _width_em(shown[-1 - keep])) * size_px
        if width > _TEXT_MAX_PX - size_px:
            break
        keep += 1
    return f"{shown[:keep]}…{shown[len(shown) - keep :]}"
