"""What models of every library show: parameters as a table, importances of features as bars, scores as lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .base import shown
from .charts import Bar, bar_chart, line_chart
from .markup import element, escaped
from .pages import Cell, page, table
from .visualization import Visualization

_FEATURES_MAX = 30
_PARAMETERS_MAX = 200
_SERIES_MAX = 16


def parameters(title: str, values: Mapping[str, Any], defaults: Mapping[str, Any]) -> Visualization:
    """The parameters of a model, those that are not as they are by default first.

    Args:
        title: What has them.
        values: By name.
        defaults: Those that are known; a parameter without one is not said to be changed.
    """
    changed = [name for name in values if name in defaults and not _is_same(values[name], defaults[name])]
    others = [name for name in values if name not in changed]
    rows: list[Sequence[Cell]] = [
        (element("b", escaped(shown(name))), value_of(values[name]), value_of(defaults[name])) for name in changed
    ]
    rows += [(escaped(shown(name)), value_of(values[name]), "") for name in others]
    left = len(rows) - _PARAMETERS_MAX
    body = table(["parameter", "value", "by default"], rows[:_PARAMETERS_MAX], markup=["parameter"], caption=title)
    rest = element("p", escaped(f"… and {left:,} more")) if left > 0 else None
    return Visualization("parameters", "text/html", page(title, body, rest))


def importances(title: str, names: Sequence[str] | None, values: Iterable[float]) -> Visualization:
    """How much each feature counts, the most important ones first.

    Args:
        title: What the values are.
        names: Of the features; by default their numbers, from 0.
        values: One for each feature, of either sign.
    """
    numbers = [float(value) for value in values]
    if names is None or len(names) != len(numbers):
        names = [f"feature {index}" for index in range(len(numbers))]
    bars: list[Bar] = [(shown(name), value) for name, value in zip(names, numbers, strict=True)]
    bars.sort(key=lambda bar: -abs(bar[1]) if math.isfinite(bar[1]) else 1.0)
    some = f"{title}, {_FEATURES_MAX} of {len(bars):,} features" if len(bars) > _FEATURES_MAX else title
    return Visualization("importances", "image/svg+xml", bar_chart(some, bars[:_FEATURES_MAX]))


def scores(title: str, evaluations: Mapping[str, Mapping[str, Sequence[float]]]) -> Iterable[Visualization]:
    """How a model scored while it was trained: a chart for each measure, with a line for each set of data."""
    by_measure: dict[str, dict[str, Sequence[float]]] = {}
    for data, measures in evaluations.items():
        for measure, values in measures.items():
            if len(values):
                by_measure.setdefault(str(measure), {})[shown(data)] = values
    for measure, series in list(by_measure.items())[:_SERIES_MAX]:
        chart = line_chart(f"{title}: {shown(measure)}", dict(list(series.items())[:_SERIES_MAX]), of="iteration")
        yield Visualization(f"scores {shown(measure)}"[:100], "image/svg+xml", chart)


def value_of(value: Any) -> str:
    """A value as a short text, as it would be written in Python."""
    return shown(repr(value))


def _is_same(one: Any, other: Any) -> bool:
    # By what is shown: to compare arrays or objects of anybody's may do anything.
    return one is other or (type(one) is type(other) and repr(one) == repr(other))
