"""Axes of charts: numbers, logarithms, times or words as places between 0 and 1, and what stands beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from .markup import shortened
from .pages import number

NUMBERS, LOGARITHMS, TIMES, WORDS = "linear", "log", "date", "category"
_TICKS = 5
_WORDS_MAX_TICKS = 16
_TIMES_LOOKED_AT = 50
_MARGIN = 0.04
_DAY_S, _YEAR_S = 86_400.0, 365.25 * 86_400.0


class Axis:
    """One axis over all values that are shown along it."""

    def __init__(self, columns: Iterable[Sequence[Any]], kind: str | None = None, *, from_zero: bool = False) -> None:
        """Make room for these values.

        Args:
            columns: All that is shown along it.
            kind: One of the kinds above; by default what suits the values.
            from_zero: Have zero on it.
        """
        given = list(columns)
        self.kind = kind if kind in (LOGARITHMS, TIMES, WORDS) else _kind_of(given)
        self._words: dict[str, int] = {}
        if self.kind == WORDS:
            for column in given:
                for value in column:
                    self._words.setdefault(str(value), len(self._words))
        found = [values for column in given if (values := self._finite(column)).size]
        low = min((float(values.min()) for values in found), default=0.0)
        high = max((float(values.max()) for values in found), default=1.0)
        if self.kind == WORDS:
            low, high = -0.5, len(self._words) - 0.5
        elif from_zero and self.kind == NUMBERS:
            low, high = min(low, 0.0), max(high, 0.0)
        if not high > low:
            low, high = low - 0.5, high + 0.5
        span = high / 2 - low / 2
        is_padded = self.kind != WORDS
        self._low = low - (2 * _MARGIN * span if is_padded and not (from_zero and low == 0.0) else 0.0)
        self._high = high + (2 * _MARGIN * span if is_padded and not (from_zero and high == 0.0) else 0.0)

    def coordinates(self, values: Sequence[Any]) -> np.ndarray[Any, Any]:
        """Where values are, in the axis's own measure; what has no place on it is not a number."""
        if self.kind == WORDS:
            return np.array([self._words.get(str(value), math.nan) for value in values], np.float64)
        if self.kind == TIMES:
            return _seconds(values)
        found = np.array([_float(value) for value in values], np.float64)
        if self.kind == LOGARITHMS:
            found[~(found > 0)] = math.nan
            logarithms: np.ndarray[Any, Any] = np.log10(found)
            return logarithms
        return found

    def share(self, coordinate: float) -> float:
        """How far along the axis a coordinate is: 0 at its beginning, 1 at its end."""
        return (coordinate / 2 - self._low / 2) / (self._high / 2 - self._low / 2)

    def shares(self, values: Sequence[Any]) -> list[float]:
        """How far along the axis values are."""
        return [self.share(one) for one in self.coordinates(values).tolist()]

    def ticks(self) -> list[tuple[float, str]]:
        """Some places on the axis, by their share, and what is there."""
        if self.kind == WORDS:
            step = -(-len(self._words) // _WORDS_MAX_TICKS)
            return [(self.share(place), shortened(word, 100)) for word, place in list(self._words.items())[::step]]
        if self.kind == TIMES:
            places = [self._low + (self._high - self._low) * part / (_TICKS - 1) for part in range(_TICKS)]
            return [(self.share(place), _time_text(place, self._high - self._low)) for place in places]
        if self.kind == LOGARITHMS and self._high - self._low > 1:
            every = max(1, round((self._high - self._low) / _TICKS))
            exponents = range(math.ceil(self._low), math.floor(self._high) + 1, every)
            return [(self.share(exponent), number(float(f"1e{exponent}"))) for exponent in exponents]
        told = [
            (place, 10**place if self.kind == LOGARITHMS else place) for place in _round_numbers(self._low, self._high)
        ]
        return [(self.share(place), _number_text(value)) for place, value in told]

    def _finite(self, column: Sequence[Any]) -> np.ndarray[Any, Any]:
        places = self.coordinates(column)
        finite: np.ndarray[Any, Any] = places[np.isfinite(places)]
        return finite


def _kind_of(columns: Iterable[Sequence[Any]]) -> str:
    kinds = {_kind_of_values(column) for column in columns if len(column)}
    return WORDS if WORDS in kinds else TIMES if kinds == {TIMES} else NUMBERS


def _kind_of_values(column: Sequence[Any]) -> str:
    dtype = getattr(column, "dtype", None)
    if dtype is not None and dtype.kind in "biufM":
        return TIMES if dtype.kind == "M" else NUMBERS
    some = [value for value in column[:_TIMES_LOOKED_AT] if value is not None]
    if all(hasattr(value, "__float__") for value in some):
        return NUMBERS
    return TIMES if all(_moment(value) is not None for value in some) else WORDS


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str) and len(value) >= 7 and value[:4].isdigit():
        try:
            value = datetime.fromisoformat(value if len(value) > 7 else f"{value}-01")
        except ValueError:
            return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _seconds(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Times as seconds since the epoch, in UTC where they don't say."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        found = values.astype("datetime64[us]")
        seconds: np.ndarray[Any, Any] = np.where(np.isnat(found), math.nan, found.astype(np.int64) / 1e6)
        return seconds
    moments = (_moment(value) for value in values)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return np.array([math.nan if one is None else (one - epoch).total_seconds() for one in moments], np.float64)


def _number_text(value: float) -> str:
    """A number; one of up to four digits, which may be a year, without what parts thousands."""
    return f"{value:.0f}" if value.is_integer() and abs(value) < 10_000 else number(value)


def _time_text(second: float, span_s: float) -> str:
    try:
        moment = np.datetime64(round(second), "s")
    except (OverflowError, ValueError):
        return ""
    if span_s > 5 * _YEAR_S:
        return str(moment.astype("datetime64[Y]"))
    if span_s > 3 * _DAY_S:
        return str(moment.astype("datetime64[D]"))
    return str(moment).replace("T", " ")[5:16] if span_s > 600 else str(moment)[11:]


def _round_numbers(low: float, high: float) -> list[float]:
    """Some numbers between two, with as few digits as there can be."""
    rough = (high / 2 - low / 2) / _TICKS * 2
    if not 0 < rough < math.inf:
        return [low]
    power = 10.0 ** math.floor(math.log10(rough)) or 5e-324
    step = next(power * one for one in (1.0, 2.0, 5.0, 10.0) if power * one >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(place * step, 12) if abs(step) > 1e-9 else place * step for place in range(first, last + 1)]
