"""Numbers in bulk: evenly spaced samples of arrays, and what they come to."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..cas.manifest import Plain
from .markup import Markup
from .pages import number
from .svg import BLUE, box, drawing, label, line

SAMPLE_MAX_ITEMS = 100_000
"""Of larger arrays so many elements are looked at."""
_BINS = 32

Values = np.ndarray[Any, Any]


class Sample(NamedTuple):
    """Elements of an array, on one axis."""

    values: Values
    is_part: bool
    """Whether there are more."""


def sample_of(array: Values) -> Sample:
    """Evenly spaced elements of an array; nothing of it is copied but they."""
    if array.size <= SAMPLE_MAX_ITEMS:
        return Sample(array.reshape(-1), False)
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        array = array[tuple(slice(None, None, step) for step in _steps(array.shape))]
        return Sample(array.reshape(-1), True)
    step = -(-array.size // SAMPLE_MAX_ITEMS)
    while math.gcd(step, array.size) != 1 and step < 2 * array.size // SAMPLE_MAX_ITEMS:
        step += 1  # So that no axis is gone along in step.
    return Sample(array.reshape(-1, order="A")[::step], True)


def _steps(shape: tuple[int, ...]) -> list[int]:
    """By how much to go along each axis, the longest first, until there is little enough."""
    steps = [1] * len(shape)
    lengths = list(shape)
    while math.prod(lengths) > SAMPLE_MAX_ITEMS:
        longest = lengths.index(max(lengths))
        steps[longest] *= 2
        lengths[longest] = -(-shape[longest] // steps[longest])
    return steps


def is_numeric(dtype: Any) -> bool:
    """Whether elements can be ordered and added up."""
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


def statistics(array: Values) -> dict[str, Plain]:
    """Least, greatest and mean of what is finite, and how much is not, of an array or an evenly spaced sample of it."""
    if not is_numeric(array.dtype) or not array.size:
        return {}
    values, is_part = sample_of(array)
    facts: dict[str, Plain] = {}
    if values.dtype.kind == "f":
        finite = values[np.isfinite(values)]
        if finite.size < values.size:
            facts["not_finite"] = int(values.size - finite.size)
        values = finite
    if values.size:
        facts |= {"min": values.min().item(), "max": values.max().item(), "mean": mean_of(values)}
    if facts and is_part:
        facts["sampled"] = SAMPLE_MAX_ITEMS
    return {name: float(fact) if isinstance(fact, np.floating) else fact for name, fact in facts.items()}


def mean_of(values: Values) -> float:
    """The mean of finite values; infinite where their sum is."""
    with np.errstate(all="ignore"):
        return float(values.mean(dtype=np.float64))


def finite_of(values: Values) -> Values:
    """What of values of any numeric type is finite, as 64-bit floats."""
    with np.errstate(all="ignore"):
        floats = values.astype(np.float64)
    return floats[np.isfinite(floats)]


def counts_of(values: Values, bins: int = _BINS) -> tuple[Values, Values]:
    """How many values lie in each of some intervals of one width, and the ends of those; of finite 64-bit floats."""
    low, high = float(values.min()), float(values.max())
    whole = high - low < bins and bool((values == np.round(values)).all())
    if whole or low == high:  # An interval for each whole number.
        edges = np.arange(math.floor(low), math.ceil(high) + 2) - 0.5 if whole else np.array([low - 0.5, low + 0.5])
        return np.histogram(values, bins=edges)
    if not math.isfinite(high - low):
        return counts_of(values / 4, bins)
    return np.histogram(values, bins=bins, range=(low, high))


def histogram(values: Values, title: str, note: str) -> Markup:
    """A histogram of finite 64-bit floats, with what is noted of them below."""
    counts, edges = counts_of(values)
    width, height, left, top = 440, 200, 14, 12
    base, widest = height - 44, (width - 2 * left) / len(counts)
    shapes = [line(left, base, width - left, base, "currentColor", opacity=0.4)]
    most = int(counts.max())
    for place, count in enumerate(counts.tolist()):
        tall = (base - top) * count / most
        tip = f"{number(float(edges[place]))} … {number(float(edges[place + 1]))}: {count:,}"
        shapes.append(box(left + place * widest, base - tall, max(widest - 1, 0.5), tall, BLUE, tip=tip))
    shapes += [
        label(left, base + 16, number(float(values.min())), size=11),
        label(width - left, base + 16, number(float(values.max())), size=11, anchor="end"),
        label(width / 2, base + 16, f"mean {number(mean_of(values))}", size=11, anchor="middle", opacity=0.75),
        label(width / 2, base + 34, note, size=11, anchor="middle", opacity=0.75, room=width - 2 * left),
    ]
    return drawing(width, height, title, *shapes)
