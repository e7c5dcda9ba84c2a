"""Charts in SVG of numbers that are at hand: bars, lines, a matrix of counts, a small histogram."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from .markup import Markup, element, escaped, shortened
from .pages import number
from .svg import BLUE, COLOURS, FAINT, GREY, ORANGE, box, drawing, label, line, text_width

_MARGIN = 10
_TITLE = 26
"""Height of a title and what is between it and the chart."""
_BAR, _BAR_STEP = 14, 20
_BARS_WIDTH = 300
_NAMES_MAX_WIDTH = 240
_VALUE_WIDTH = 84
_LINES_WIDTH, _LINES_HEIGHT = 520, 220
_LINE_MAX_POINTS = 500
_LEGEND_STEP = 18
_CELL_MAX, _CELL_MIN = 44, 14

Bar = tuple[str, float]
"""A label and a value."""


def bar_chart(title: str, bars: Sequence[Bar], *, full: float | None = None) -> Markup:
    """Horizontal bars in the given order, to the left of zero where they are negative.

    Args:
        title: What stands above them.
        bars: One at least; values that are not finite have no bar, and are named all the same.
        full: The value of the longest bar there can be; by default that of the longest there is.
    """
    finite = [value for _, value in bars if math.isfinite(value)]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    if full is not None:
        high, low = max(high, full), min(low, -full if low < 0 else 0.0)
    # Halves, as the difference of the largest numbers is infinite.
    span = (high / 2 - low / 2) or 1.0
    names = min(_NAMES_MAX_WIDTH, max(text_width(name) for name, _ in bars) + 4)
    left = _MARGIN + names + 8
    zero = left + (0 - low / 2) / span * _BARS_WIDTH
    shapes = [label(_MARGIN, 18, title, size=13, weight="600", room=names + _BARS_WIDTH + _VALUE_WIDTH)]
    for row, (name, value) in enumerate(bars):
        top = _TITLE + 4 + row * _BAR_STEP
        end = zero + value / 2 / span * _BARS_WIDTH if math.isfinite(value) else zero
        colour = ORANGE if value < 0 else BLUE
        shapes += [
            label(left - 8, top + 11, name, anchor="end", room=names),
            box(min(zero, end), top, abs(end - zero), _BAR, colour, rx=2, tip=f"{shortened(name, 1000)}: {value!r}"),
            label(max(zero, end) + 6, top + 11, number(value), size=11, opacity=0.8),
        ]
    height = _TITLE + 4 + len(bars) * _BAR_STEP
    shapes.append(line(zero, _TITLE, zero, height, GREY, stroke_width=1))
    return drawing(left + _BARS_WIDTH + _VALUE_WIDTH + _MARGIN, height + _MARGIN, title, *shapes)


def line_chart(title: str, series: Mapping[str, Sequence[float]], *, of: str = "step") -> Markup:
    """Lines over the number of the point, from 1; a line is broken where a value is not finite.

    Args:
        title: What stands above them.
        series: By name; each is thinned out to 500 points.
        of: What is counted from left to right.
    """
    longest = max(len(values) for values in series.values())
    finite = [value for values in series.values() for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if low == high:
        low, high = low - (abs(low) / 2 or 1.0), high + (abs(high) / 2 or 1.0)
    left, top, bottom = 76.0, float(_TITLE + 8), float(_TITLE + 8 + _LINES_HEIGHT)

    def across(index: int) -> float:
        return left + _LINES_WIDTH * (index / (longest - 1) if longest > 1 else 0.5)

    def upward(value: float) -> float:
        return bottom - (value / 2 - low / 2) / (high / 2 - low / 2) * _LINES_HEIGHT

    shapes = [label(_MARGIN, 18, title, size=13, weight="600", room=left + _LINES_WIDTH)]
    for part in range(5):
        value = low + (high / 4 - low / 4) * part
        y = upward(value)
        shapes += [line(left, y, left + _LINES_WIDTH, y), label(left - 8, y + 4, number(value), size=11, anchor="end")]
    for index in sorted({0, (longest - 1) // 2, longest - 1}):
        shapes.append(label(across(index), bottom + 16, f"{index + 1:,}", size=11, anchor="middle"))
    shapes.append(label(left + _LINES_WIDTH, bottom + 32, of, size=11, anchor="end", opacity=0.7))
    for place, (name, values) in enumerate(series.items()):
        colour = COLOURS[place % len(COLOURS)]
        dash = None if place < len(COLOURS) else "5 3"
        shapes.append(_path([(across(at), values[at]) for at in _thinned(len(values))], upward, name, colour, dash))
    legend = [
        shape
        for place, name in enumerate(series)
        for shape in (
            box(left + _LINES_WIDTH + 18, top + place * _LEGEND_STEP, 12, 12, COLOURS[place % len(COLOURS)], rx=2),
            label(left + _LINES_WIDTH + 36, top + 10 + place * _LEGEND_STEP, name, room=150),
        )
    ]
    height = max(bottom + 40, top + len(series) * _LEGEND_STEP + _MARGIN)
    return drawing(left + _LINES_WIDTH + 200, height, title, *shapes, *legend)


def matrix_chart(title: str, counts: Sequence[Sequence[int]], labels: Sequence[str]) -> Markup:
    """A confusion matrix: a row for each true class, a column for each predicted one, its share of the row as shade."""
    size = len(counts)
    cell = max(_CELL_MIN, min(_CELL_MAX, 560 / size))
    names = min(130.0, max(text_width(one) for one in labels) + 8)
    left, top = _MARGIN + 18 + names, _TITLE + 22 + names * 0.75
    shapes = [
        label(_MARGIN, 18, title, size=13, weight="600"),
        box(left, top, size * cell - 1, size * cell - 1, FAINT),
        label(left + size * cell / 2, _TITLE + 12, "predicted", size=11, anchor="middle", opacity=0.7),
        _turned(_MARGIN + 8, top + size * cell / 2, "true", -90, anchor="middle", opacity=0.7),
    ]
    counts_size, names_size = min(12.0, cell * 0.4), min(12.0, cell * 0.7)
    for row, (name, line_of) in enumerate(zip(labels, counts, strict=True)):
        y, total = top + row * cell, sum(line_of) or 1
        shapes.append(label(left - 6, y + cell / 2 + 4, name, anchor="end", size=names_size, room=names))
        shapes.append(_turned(left + row * cell + cell / 2 + 4, top - 6, name, -50, size=names_size, room=names))
        for column, count in enumerate(line_of):
            x, share = left + column * cell, count / total
            tip = f"true {shortened(name, 100)}, predicted {shortened(labels[column], 100)}: {count:,} ({share:.1%})"
            if count:
                colour = BLUE if row == column else ORANGE
                shapes.append(box(x, y, cell - 1, cell - 1, colour, tip=tip, opacity=0.15 + 0.7 * share))
            if cell >= 2 * _CELL_MIN and count:
                shapes.append(label(x + cell / 2, y + cell / 2 + 4, _brief(count), size=counts_size, anchor="middle"))
    right = sum(counts[at][at] for at in range(size))
    total = sum(map(sum, counts))
    below = top + size * cell + 18
    if total:
        shapes.append(label(left, below, f"{right:,} of {total:,} right ({right / total:.1%})", size=11, opacity=0.8))
    return drawing(max(left + size * cell + names * 0.7 + _MARGIN, 260), below + _MARGIN, title, *shapes)


def histogram(counts: Sequence[int], *, width: float = 120, height: float = 24, tip: str = "") -> Markup:
    """A small histogram that stands in a table's cell."""
    highest = max(counts, default=0) or 1
    step = width / max(len(counts), 1)
    bars = [
        box(place * step, height - count / highest * (height - 1), step - 0.5, count / highest * (height - 1), BLUE)
        for place, count in enumerate(counts)
        if count
    ]
    return drawing(width, height, tip, *bars, line(0, height, width, height, GREY))


def _thinned(length: int) -> list[int]:
    """Places of the points that are drawn, the first and the last among them."""
    if length <= _LINE_MAX_POINTS:
        return list(range(length))
    return [round(at * (length - 1) / (_LINE_MAX_POINTS - 1)) for at in range(_LINE_MAX_POINTS)]


def _path(
    points: Sequence[tuple[float, float]], upward: Callable[[float], float], name: str, colour: str, dash: str | None
) -> Markup:
    """A line through points; what stands alone between gaps is a dot."""
    runs: list[list[str]] = [[]]
    for x, value in points:
        if math.isfinite(value):
            runs[-1].append(f"{x:.1f} {upward(value):.1f}")
        elif runs[-1]:
            runs.append([])
    lines = "".join(f"M{run[0]}{''.join(f'L{point}' for point in run[1:] or run)}" for run in runs if run)
    tip = element("title", escaped(shortened(name, 1000)))
    style = {"fill": "none", "stroke": colour, "stroke_width": 2, "stroke_dasharray": dash}
    return element("path", tip, d=lines, stroke_linejoin="round", stroke_linecap="round", **style)


def _turned(x: float, y: float, text: str, degrees: float, **more: object) -> Markup:
    shape = label(0, 0, text, **more)  # type: ignore[arg-type]
    return element("g", shape, transform=f"translate({x:.1f} {y:.1f}) rotate({degrees})")


def _brief(count: int) -> str:
    if count < 10_000:
        return str(count)
    return f"{count / 1000:.3g}k" if count < 10**6 else f"{count:.1e}"
