"""What arrays show of themselves: how their values spread, and a picture where they are a matrix, or look like one."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

import numpy as np

from . import table_views
from .base import shown
from .markup import Markup, element
from .numeric import Sample, Values, finite_of, histogram, is_numeric, sample_of
from .pages import number
from .rasters import heat_map, image, is_image, is_stack, sheet
from .svg import BLUE, drawing, label
from .visualization import Visualization

_TEXT_MAX_ITEMS = 100
_TEXT_MAX_CHARACTERS = 20_000
_POINTS = 240
_SVG, _PNG = "image/svg+xml", "image/png"


def views_of(array: Values) -> Iterator[Visualization]:
    """What an array shows of itself. Cost: a look at 100,000 elements at most, and at half a million pixels."""
    if is_numeric(array.dtype) and array.size > 1:
        if is_image(array):
            yield Visualization("image", _PNG, image(array))
        elif is_stack(array):
            yield Visualization("images", _PNG, sheet(array))
        elif array.ndim == 2 and min(array.shape) > 1:
            yield Visualization("heat map", _PNG, heat_map(array))
        yield from histogram_of(sample_of(array), array.size)
        if array.ndim == 1 and array.size > 2:
            yield from _in_order(array)
    if array.size and array.dtype.names:
        yield from table_views.views_of(_rows_of(array))
    elif array.size and (array.size <= _TEXT_MAX_ITEMS or not is_numeric(array.dtype)):
        text = np.array2string(array, threshold=_TEXT_MAX_ITEMS, separator=", ", max_line_width=100)
        yield Visualization("values", "text/plain", text[:_TEXT_MAX_CHARACTERS])


def _rows_of(array: Values) -> table_views.Rows:
    """A structured array as a table: a column for each field, whatever the array's shape."""
    flat, names = array.reshape(-1), array.dtype.names or ()

    def column(name: str) -> table_views.Column:
        def values(rows: slice) -> Any:
            return table_views.arrow_of(flat[name][rows].tolist())

        return table_views.Column(shown(name), shown(array.dtype[name]), values)

    columns = [column(name) for name in names[: table_views.COLUMNS_MAX]]
    return table_views.Rows(flat.size, len(names), columns, table_views.numbered)


def histogram_of(sample: Sample, size: int) -> Iterator[Visualization]:
    """A histogram of what is finite in a sample of so many elements."""
    finite = finite_of(sample.values)
    if not finite.size:
        return
    note = f"{size:,} values" if not sample.is_part else f"{sample.values.size:,} of {size:,} values"
    if finite.size < sample.values.size:
        note += f", {sample.values.size - finite.size:,} not finite"
    yield Visualization("histogram", _SVG, histogram(finite, "histogram", note))


def _in_order(array: Values) -> Iterator[Visualization]:
    """The values of a row, along it: of each of some stretches the least and the greatest of what is looked at."""
    step = max(1, array.size // (100 * _POINTS))
    with np.errstate(all="ignore"):
        values = array[::step].astype(np.float64)
    values[np.isinf(values)] = np.nan
    finite = values[~np.isnan(values)]
    if not finite.size:
        return
    low, high = float(finite.min()), float(finite.max())
    yield Visualization("in order", _SVG, _line_of(values, low, high, array.size))


def _line_of(values: Values, low: float, high: float, size: int) -> Markup:
    width, height, left, top = 440, 170, 14, 22
    span = high / 2 - low / 2 or 1.0
    wide = max(1, len(values) // _POINTS)
    stretches = values[: len(values) // wide * wide].reshape(-1, wide)
    lows, highs = np.fmin.reduce(stretches, axis=1), np.fmax.reduce(stretches, axis=1)
    across = left + (width - 2 * left) * np.arange(len(lows)) / max(1, len(lows) - 1)
    points: list[str] = []
    for x, ends in zip(across.tolist(), zip(lows.tolist(), highs.tolist(), strict=True), strict=True):
        for value in dict.fromkeys(ends):
            if isfinite(value):
                y = height - 24 - (height - 24 - top) * (value / 2 - low / 2) / span
                points.append(f"{x:.1f},{y:.1f}")
    curve = element("polyline", points=" ".join(points), fill="none", stroke=BLUE, stroke_width=1.3)
    bounds = f"{number(low)} … {number(high)}"
    return drawing(
        width,
        height,
        "values in order",
        curve,
        label(left, 14, bounds, size=11, opacity=0.75),
        label(left, height - 6, "0", size=11),
        label(width - left, height - 6, f"{size - 1:,}", size=11, anchor="end"),
    )


def views_of_matrix(rows: Any, columns: Any, values: Values, shape: tuple[int, int]) -> Iterator[Visualization]:
    """What a sparse matrix shows of itself, by the places of what it stores: how much is where, and how it spreads."""
    if not len(values) or not all(shape):
        return
    sides = [min(side, 200) for side in shape]
    every = max(1, len(values) // 1_000_000)
    counts, _, _ = np.histogram2d(
        np.asarray(rows)[::every], np.asarray(columns)[::every], bins=sides, range=[[0, shape[0]], [0, shape[1]]]
    )
    yield Visualization("where values are", _PNG, heat_map(np.where(counts > 0, np.log1p(counts), np.nan)))
    if is_numeric(values.dtype):
        yield from histogram_of(sample_of(values), len(values))
