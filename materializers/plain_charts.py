"""What of plain values is a chart: mappings of numbers, of series, of counts; state dicts, exceptions."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from typing import Any

from .base import shown
from .charts import Bar, bar_chart, line_chart
from .confusion import confusions_in
from .markup import Markup, element, escaped
from .pages import Cell, number, page, table
from .visualization import Visualization

_BARS_MAX = 60
_COUNTED_MAX = 30
_SERIES_MAX = 20
_POINTS_MAX = 1_000_000
_ROWS_MAX = 200
_BAR = "rgba(74,143,220,.35)"


def charts_of(value: object) -> Iterator[Visualization]:
    """The charts that a plain value makes, the most telling first; nothing for most.

    A mapping from names to numbers is bars, as metrics are; to lists of numbers as long as each other, lines over the
    steps; to mappings of numbers, a table with bars in it, as a classification report is. For confusion matrices in a
    mapping see `confusion`.
    """
    if isinstance(value, BaseException):
        from .tracebacks import visualize

        yield from visualize(value)
    elif isinstance(value, Counter):
        yield from _counted(value)
    elif isinstance(value, Mapping) and value:
        yield from confusions_in(value)
        if all(isinstance(key, str) for key in value):
            yield from _of_named(value)


def _of_named(value: Mapping[str, Any]) -> Iterator[Visualization]:
    if _are_tensors(value.values()):
        from .torch_modules import tensors

        yield from tensors("state", value.items())
        return
    numbers = {name: _float(one) for name, one in value.items() if _is_number(one)}
    if len(numbers) == len(value) <= _BARS_MAX:
        yield from _bars(numbers)
    series = {name: one for name, one in value.items() if _is_series(one)}
    lengths = {len(one) for one in series.values()}
    if series and len(lengths) == 1 and len(series) <= _SERIES_MAX:
        lines = {shown(name): [_float(point) for point in one] for name, one in series.items()}
        yield Visualization("curves", "image/svg+xml", line_chart("curves", lines))
    rows = {name: one for name, one in value.items() if _is_row(one)}
    if len(rows) > 1:
        yield Visualization("report", "text/html", page("report", _report(value, rows)))


def _bars(numbers: Mapping[str, float]) -> Iterator[Visualization]:
    """Bars: rates, which are at most 1, on a scale of their own, so that counts beside them don't hide them."""
    rates = [(shown(name), one) for name, one in numbers.items() if not abs(one) > 1]
    others = [(shown(name), one) for name, one in numbers.items() if abs(one) > 1]
    if rates:
        yield Visualization("metrics", "image/svg+xml", bar_chart("metrics", rates, full=1.0))
    if others:
        name = "larger metrics" if rates else "metrics"
        yield Visualization(name, "image/svg+xml", bar_chart(name, others))


def _counted(value: Counter[Any]) -> Iterator[Visualization]:
    found = [(key, one) for key, one in value.items() if _is_number(one)]
    if not found:
        return
    found.sort(key=lambda pair: -_float(pair[1]))
    bars: list[Bar] = [(_key(key), _float(one)) for key, one in found[:_COUNTED_MAX]]
    title = f"the most frequent {len(bars)} of {len(found):,}" if len(found) > len(bars) else "counts"
    yield Visualization("counts", "image/svg+xml", bar_chart(title, bars))


def _key(key: Any) -> str:
    """A key as a label; texts in quotes where they would not be seen."""
    return shown(repr(key) if isinstance(key, str) and not key.strip() else key)


def _report(value: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> Markup:
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    cells: list[list[Cell]] = [
        [escaped(shown(name)), *(_shaded(row.get(column)) for column in columns)]
        for name, row in list(rows.items())[:_ROWS_MAX]
    ]
    cells += [
        [escaped(shown(name)), _shaded(one), *(None for _ in columns[1:])]
        for name, one in value.items()
        if _is_number(one)
    ]
    header = ["", *(shown(column) for column in columns)]
    return table(header, cells, markup=header)


def _shaded(value: Any) -> Markup | None:
    """A number; a rate with a bar behind it."""
    if value is None:
        return None
    plain = _float(value)
    share = f"{plain * 100:.0f}%" if 0 <= plain <= 1 else "0%"
    bar = f"linear-gradient(90deg,{_BAR} {share},transparent {share})"
    style = f"display:inline-block;min-width:6em;padding:0 .3em;background:{bar}"
    return element("span", escaped(number(value if type(value) is int else plain)), style=style)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _is_series(value: Any) -> bool:
    if hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1:
        return getattr(value.dtype, "kind", "") in "iuf" and 1 < len(value) <= _POINTS_MAX
    if not isinstance(value, (list, tuple)) or not 1 < len(value) <= _POINTS_MAX:
        return False
    return all(_is_number(one) for one in value)


def _is_row(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(key, str) and _is_number(one) for key, one in value.items())
    )


def _are_tensors(values: Iterable[Any]) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and all(isinstance(one, torch.Tensor) for one in values)
