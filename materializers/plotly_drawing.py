"""Figures of Plotly, drawn without its script: the traces that have two straight axes, plainly, by their data.

What only Plotly knows, as templates, hover texts and annotations, is left out; so the drawing is called a sketch.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .axes import NUMBERS, Axis
from .base import shown
from .charts import bar_chart
from .markup import Markup, element
from .plots import BELOW, HEIGHT, LEFT, LEGEND, TOP, WIDTH, Ends, Plot, Slot, legend
from .svg import COLOURS, drawing, label
from .visualization import Visualization

_PANELS_MAX = 12
_TRACES_MAX = 40
_POINTS_MAX = 2_000
_BARS_MAX = 500
_BINS = 30
_SLICES_MAX = 30
_FEW_POINTS = 20
_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}|rgba?\([\d.,% ]+\)|[a-z]{3,20}")
_DRAWN = frozenset(("scatter", "scattergl", "bar", "histogram", "box", "heatmap"))
_WITH_BARS = frozenset(("bar", "histogram"))

Trace = Mapping[str, Any]


class _Panel(NamedTuple):
    """Two axes, and what is drawn between them."""

    traces: list[Trace]
    layout: Mapping[str, Any]
    x: Mapping[str, Any]
    y: Mapping[str, Any]

    @property
    def is_stacked(self) -> bool:
        """Whether bars stand on each other."""
        by_default = "stack" if any(_kind(one) == "histogram" for one in self.traces) else "group"
        return self.layout.get("barmode", by_default) in ("stack", "relative")


class _Series(NamedTuple):
    """A trace as it is drawn."""

    trace: Trace
    colour: str
    x: Any
    y: Any
    width: float = 0.0
    """Of the bars of a histogram of numbers."""

    @property
    def kind(self) -> str:
        """What it is drawn as."""
        return _kind(self.trace)

    @property
    def is_lying(self) -> bool:
        """Whether its bars go from left to right."""
        is_upright = self.kind != "histogram" or len(_values(self.trace, "x")) > 0
        return self.trace.get("orientation") == "h" or not is_upright


def sketches(title: str, figure: Mapping[str, Any]) -> Iterator[Visualization]:
    """A drawing of what of a figure, described as Plotly does, has two straight axes, and of each pie, its shares."""
    layout, traces = figure.get("layout", {}), list(figure.get("data", ()))
    panels: dict[tuple[str, str], list[Trace]] = defaultdict(list)
    for trace in traces[:_TRACES_MAX]:
        if _is_drawn(trace):
            panels[trace.get("xaxis") or "x", trace.get("yaxis") or "y"].append(trace)
    left_out = sorted({shown(_kind(one)) for one in traces if not _is_drawn(one) and _kind(one) != "pie"})
    shapes: list[Markup] = [label(10, 20, title, size=14, weight="600", room=LEFT + WIDTH + LEGEND - 20)]
    top = 0
    for (across, upward), found in list(panels.items())[:_PANELS_MAX]:
        panel = _Panel(found, layout, _axis(layout, "x", across), _axis(layout, "y", upward))
        shapes.append(element("g", *_drawn(panel), transform=f"translate(0 {top})"))
        top += TOP + HEIGHT + BELOW
    if panels:
        without = f", without {', '.join(left_out)}" if left_out else ""
        shapes.append(label(10, top + 4, f"A sketch of the figure's data{without}", size=11, opacity=0.7))
        yield Visualization("sketch", "image/svg+xml", drawing(LEFT + WIDTH + LEGEND, top + 16, title, *shapes))
    pies = [one for one in traces[:_TRACES_MAX] if _kind(one) == "pie" and len(_values(one, "values"))]
    for place, trace in enumerate(pies[:_PANELS_MAX], start=1):
        name = "shares" if place == 1 else f"shares {place}"
        yield Visualization(name, "image/svg+xml", bar_chart(shown(trace.get("name") or title), _slices(trace)))


def _kind(trace: Trace) -> str:
    return str(trace.get("type", "scatter"))


def _axis(layout: Mapping[str, Any], letter: str, name: str) -> Mapping[str, Any]:
    """What a layout says of the axis that traces call ``x2``, and it ``xaxis2``."""
    found = layout.get(name.replace(letter, f"{letter}axis", 1))
    return found if isinstance(found, Mapping) else {}


def _is_drawn(trace: Trace) -> bool:
    if trace.get("visible") in (False, "legendonly") or _kind(trace) not in _DRAWN:
        return False
    if _kind(trace) == "heatmap":
        return np.ndim(_values(trace, "z")) == 2
    return len(_values(trace, "x")) > 0 or len(_values(trace, "y")) > 0


def _values(trace: Trace, name: str) -> Any:
    found = trace.get(name)
    return found if hasattr(found, "__len__") and not isinstance(found, str | Mapping) else ()


def _slices(trace: Trace) -> list[tuple[str, float]]:
    values = [float(one) for one in _values(trace, "values")]
    names = [shown(one) for one in _values(trace, "labels")] or [str(at) for at in range(len(values))]
    return sorted(zip(names, values, strict=False), key=lambda one: -one[1])[:_SLICES_MAX]


def _drawn(panel: _Panel) -> Iterator[Markup]:
    series = [one for place, trace in enumerate(panel.traces) for one in _series(trace, _colour(trace, place), panel)]
    bars = [one for one in series if one.kind in _WITH_BARS]
    from_zero = {"x" if one.is_lying else "y" for one in bars}
    x, y = (
        Axis(_extents(series, way, panel.is_stacked), said.get("type"), from_zero=way in from_zero)
        for way, said in (("x", panel.x), ("y", panel.y))
    )
    plot = Plot(x, y, *(said.get("autorange") == "reversed" for said in (panel.x, panel.y)))
    ends: Ends | None = {} if panel.is_stacked else None
    shares_room = ends is None and panel.layout.get("barmode") != "overlay"
    yield from plot.grid(_title_of(panel.x), _title_of(panel.y))
    for one in series:
        if one.kind == "heatmap":
            yield plot.heat(np.asarray(_values(one.trace, "z"), np.float64))
        elif one.kind == "box":
            yield from plot.boxes(one.x, one.y, one.colour)
        elif one.kind in _WITH_BARS:
            beside = (bars.index(one), len(bars)) if shares_room else (0, 1)
            along, sizes = (one.y, one.x) if one.is_lying else (one.x, one.y)
            yield from plot.bars(
                along, sizes, one.colour, Slot(one.width or None, *beside, ends), is_lying=one.is_lying
            )
        else:
            mode = str(one.trace.get("mode") or ("lines+markers" if len(one.x) < _FEW_POINTS else "lines"))
            has_lines = "lines" in mode
            yield from plot.points(one.x, one.y, one.colour, lines=has_lines, dots=not has_lines or "markers" in mode)
    yield from legend({str(one.trace["name"]): one.colour for one in series if one.trace.get("name")})


def _series(trace: Trace, colour: str, panel: _Panel) -> Iterator[_Series]:
    x, y, kind = _values(trace, "x"), _values(trace, "y"), _kind(trace)
    if kind == "heatmap":
        rows, columns = np.shape(_values(trace, "z"))
        yield _Series(trace, colour, _cells(x, columns), _cells(y, rows))
    elif kind == "histogram":
        yield from _binned(trace, colour, panel)
    elif kind == "box":
        values = y if len(y) else x
        yield _Series(trace, colour, x if len(x) == len(y) else [shown(trace.get("name") or "")] * len(values), values)
    else:
        length = max(len(x), len(y))
        x, y = (x if len(x) else range(length)), (y if len(y) else range(length))
        every = max(1, -(-length // (_BARS_MAX if kind == "bar" else _POINTS_MAX)))
        yield _Series(trace, colour, x[::every], y[::every])


def _cells(given: Any, count: int) -> Any:
    """What is along a side of a heat map: words where they are given, else numbers, and on both sides half a cell."""
    if len(given) != count:
        return [-0.5, count - 0.5]
    axis = Axis([given])
    if axis.kind != NUMBERS or count < 2:
        return given
    places = axis.coordinates(given)
    half = (places[-1] - places[0]) / (count - 1) / 2
    return [places[0] - half, places[-1] + half]


def _binned(trace: Trace, colour: str, panel: _Panel) -> Iterator[_Series]:
    """A histogram as the bars that it has, over the bins that all those of the panel share."""
    way = "x" if len(_values(trace, "x")) else "y"
    every = [_values(one, way) for one in panel.traces if _kind(one) == "histogram"]
    axis, values, width = Axis(every), _values(trace, way), 0.0
    if axis.kind == NUMBERS:
        taken = np.concatenate([axis.coordinates(one) for one in every])
        taken = taken[np.isfinite(taken)]
        if not taken.size:
            return
        counts, edges = np.histogram(axis.coordinates(values), _BINS, (float(taken.min()), float(taken.max())))
        at: Any = (edges[:-1] + edges[1:]) / 2
        width = float(edges[1] - edges[0])
    else:
        words, counts = np.unique([str(value) for value in values], return_counts=True)
        at = words.tolist()
    x, y = (at, counts) if way == "x" else (counts, at)
    yield _Series(trace, colour, x, y, width)


def _extents(series: Sequence[_Series], way: str, is_stacked: bool) -> Iterator[Any]:
    """All that is along an axis; of stacked bars where the stacks end, too."""
    ends: dict[tuple[str, bool], float] = defaultdict(float)
    for one in series:
        along, other = (one.x, one.y) if way == "x" else (one.y, one.x)
        measures = one.is_lying == (way == "x")
        yield along
        if one.width and not measures:
            yield [float(along[0]) - one.width / 2, float(along[-1]) + one.width / 2]
        if is_stacked and one.kind in _WITH_BARS and measures:
            for place, size in zip(other, along, strict=False):
                ends[str(place), float(size or 0) < 0] += float(size or 0)
    if ends:
        yield list(ends.values())


def _title_of(axis: Mapping[str, Any]) -> str:
    title = axis.get("title") or ""
    return shown(title.get("text") or "" if isinstance(title, Mapping) else title)


def _colour(trace: Trace, place: int) -> str:
    """The trace's own, where it is one for all of it."""
    for part in ("marker", "line"):
        style = trace.get(part)
        own = style.get("color") if isinstance(style, Mapping) else None
        if isinstance(own, str) and _COLOUR.fullmatch(own):
            return own
    return COLOURS[place % len(COLOURS)]
