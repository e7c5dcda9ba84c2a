"""The indexes of pandas: ranges by their bounds, the others by their arrays.

The head is ``{kind, …}``; the dtype of the part ``values`` decides the class. A name other than None is a part.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .base import ALL, Materializer, PartReader, PartWriter, Selection, check_rows_alone, shown

_ARRAY, _RANGE, _MULTI = "array", "range", "multi"


class Index(Materializer[Any]):
    """Indexes of every class, with names and frequency; a multi-index with its levels as they are, used or not."""

    format: ClassVar[str] = "pandas.Index/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        if isinstance(value, pd.MultiIndex):
            return _save_multi(value, parts)
        if value.name is not None:
            parts.value("name", value.name)
        if isinstance(value, pd.RangeIndex):
            return {"kind": _RANGE, "bounds": [value.start, value.stop, value.step]}
        parts.value("values", value.to_numpy() if isinstance(value.dtype, np.dtype) else value.array)
        head: dict[str, Plain] = {"kind": _ARRAY}
        if isinstance(value, (pd.DatetimeIndex, pd.TimedeltaIndex)) and value.freq is not None:
            head["frequency"] = _save_frequency(value.freq, parts)
        return head

    def load(self, head: Any, parts: PartReader) -> Any:
        return self.load_part(head, parts, ALL)

    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> Any:
        check_rows_alone(self, selection)
        kind = head["kind"]
        if kind == _MULTI:
            return _load_multi(head, parts, selection)
        name = parts.value("name") if "name" in parts.names() else None
        if kind == _RANGE:
            start, stop, step = head["bounds"]
            index = pd.RangeIndex(start, stop, step, name=name)
            return index if selection.is_all else index[selection.rows]
        if kind != _ARRAY:
            raise ManifestCorrupt(f"there is no index of kind {kind!r}", where=self.format)
        values = parts.value("values", selection)
        index = pd.Index(values, dtype=values.dtype, name=name, copy=False, tupleize_cols=False)
        if "frequency" in head:
            return type(index)(index, freq=_load_frequency(head["frequency"], parts), name=name)
        return index

    def metadata(self, value: Any) -> dict[str, Plain]:
        return {"length": len(value), "dtype": shown(value.dtype)}


def _save_multi(value: Any, parts: PartWriter) -> Plain:
    parts.value("names", list(value.names))
    for number, (level, codes) in enumerate(zip(value.levels, value.codes, strict=True)):
        parts.value(f"level.{number}", level.rename(None))
        parts.value(f"codes.{number}", np.asarray(codes))
    return {"kind": _MULTI, "levels": value.nlevels}


def _load_multi(head: dict[str, Any], parts: PartReader, selection: Selection) -> Any:
    numbers = range(head["levels"])
    return pd.MultiIndex(
        levels=[parts.value(f"level.{number}") for number in numbers],
        codes=[parts.value(f"codes.{number}", selection) for number in numbers],
        names=parts.value("names"),
        copy=False,
    )


def _save_frequency(frequency: Any, parts: PartWriter) -> str | None:
    """Give a frequency's text where it says everything; save the frequency itself otherwise, as with holidays."""
    text = str(frequency.freqstr)
    try:
        is_told = pd.tseries.frequencies.to_offset(text) == frequency
    except ValueError:
        is_told = False
    if is_told:
        return text
    parts.value("frequency", frequency)
    return None


def _load_frequency(text: Any, parts: PartReader) -> Any:
    return parts.value("frequency") if text is None else pd.tseries.frequencies.to_offset(text)
