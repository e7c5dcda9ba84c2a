"""The extension arrays of pandas: each as the NumPy or Arrow arrays that it is made of.

What lies under a missing value is no part of the value and is written as zero.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt, Unsupported
from .base import ALL, Materializer, PartReader, PartWriter, Selection, check_rows_alone, shown, type_name
from .pandas_scalars import zone_name

_MASKED = ("BooleanArray", "FloatingArray", "IntegerArray")
_NAN, _NA = "nan", "NA"
_UNITS = ("s", "ms", "us", "ns")


class _ExtensionArray(Materializer[Any]):
    exact: ClassVar[bool] = True
    by_row: ClassVar[tuple[str, ...]] = ("values",)
    """The parts that have an element for each of the array's."""

    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> Any:
        check_rows_alone(self, selection)
        return self.load(head, _Rows(parts, selection, self.by_row))

    def metadata(self, value: Any) -> dict[str, Plain]:
        return {"length": len(value), "dtype": shown(value.dtype)}


class _Rows:
    """A part reader that gives only the selected rows of some parts."""

    def __init__(self, parts: PartReader, selection: Selection, by_row: tuple[str, ...]) -> None:
        self._parts = parts
        self._selection = selection
        self._by_row = by_row
        self.may_import = parts.may_import
        self.names = parts.names
        self.size_bytes = parts.size_bytes
        self.buffer = parts.buffer
        self.file = parts.file
        self.directory = parts.directory

    def value(self, name: str, selection: Selection | None = None) -> Any:
        return self._parts.value(name, self._selection if name in self._by_row else selection)


class Categorical(_ExtensionArray):
    """Categoricals: codes and categories."""

    format: ClassVar[str] = "pandas.Categorical/1"
    by_row: ClassVar[tuple[str, ...]] = ("codes",)

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.value("codes", value.codes)
        parts.value("categories", value.categories)
        return {"ordered": bool(value.ordered)}

    def load(self, head: Any, parts: PartReader) -> Any:
        dtype = pd.CategoricalDtype(parts.value("categories"), ordered=head["ordered"])
        return pd.Categorical.from_codes(parts.value("codes"), dtype=dtype)


class Masked(_ExtensionArray):
    """Integers, floats and booleans that may be missing: values and mask."""

    format: ClassVar[str] = "pandas.masked/1"
    by_row: ClassVar[tuple[str, ...]] = ("values", "mask")

    def save(self, value: Any, parts: PartWriter) -> Plain:
        values, mask = value._data, value._mask
        if mask.any():
            values = np.where(mask, np.zeros((), values.dtype), values)
        parts.value("values", values)
        parts.value("mask", mask)
        return type(value).__name__

    def load(self, head: Any, parts: PartReader) -> Any:
        if head not in _MASKED:
            raise ManifestCorrupt(f"there is no masked array {head!r}", where=self.format)
        return getattr(pd.arrays, head)(parts.value("values"), parts.value("mask"), copy=False)


class Datetimes(_ExtensionArray):
    """Points in time, with their zone, and durations: 64-bit counts of their unit. The head names the zone."""

    format: ClassVar[str] = "pandas.datetimes/1"

    def save(self, value: Any, parts: PartWriter) -> Plain:
        kind = "m8" if type_name(type(value)) == "pandas.arrays.TimedeltaArray" else "M8"
        unit = np.datetime_data(value._ndarray.dtype)[0]
        parts.value("values", value.asi8.view(f"{kind}[{unit}]"))
        zone = getattr(value, "tz", None)
        name = None if zone is None else zone_name(zone)
        if zone is not None and name is None:
            parts.value("zone", zone)
        return name

    def load(self, head: Any, parts: PartReader) -> Any:
        values = parts.value("values")
        if not isinstance(values, np.ndarray) or values.ndim != 1 or values.dtype.kind not in "mM":
            raise ManifestCorrupt("points in time or durations are not counted in 64 bits", where=self.format)
        unit = np.datetime_data(values.dtype)
        if unit[0] not in _UNITS or unit[1] != 1 or not values.dtype.isnative:
            raise ManifestCorrupt(f"pandas has no unit {unit}", where=self.format)
        # The one constructor that takes what it gets; the public ones copy, or know no zones.
        if values.dtype.kind == "m":
            return pd.arrays.TimedeltaArray._simple_new(values, dtype=values.dtype)
        zone = parts.value("zone") if "zone" in parts.names() else head
        dtype = values.dtype if zone is None else pd.DatetimeTZDtype(unit[0], zone)
        return pd.arrays.DatetimeArray._simple_new(values, dtype=dtype)


class Periods(_ExtensionArray):
    """Spans of a frequency: their ordinals."""

    format: ClassVar[str] = "pandas.periods/1"
    by_row: ClassVar[tuple[str, ...]] = ("ordinals",)

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.value("ordinals", value.asi8)
        return str(value.freqstr)

    def load(self, head: Any, parts: PartReader) -> Any:
        dtype = pd.PeriodDtype(head)
        return pd.arrays.PeriodArray(parts.value("ordinals"), dtype=dtype, copy=False)


class Intervals(_ExtensionArray):
    """Intervals: their ends."""

    format: ClassVar[str] = "pandas.intervals/1"
    by_row: ClassVar[tuple[str, ...]] = ("left", "right")

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.value("left", value.left)
        parts.value("right", value.right)
        return {"closed": value.closed}

    def load(self, head: Any, parts: PartReader) -> Any:
        return pd.arrays.IntervalArray.from_arrays(parts.value("left"), parts.value("right"), head["closed"])


class ArrowBacked(_ExtensionArray):
    """Strings and any other type in Arrow memory."""

    format: ClassVar[str] = "pandas.arrow/1"

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.value("values", value.__arrow_array__())
        return _missing(value.dtype) if isinstance(value.dtype, pd.StringDtype) else None

    def load(self, head: Any, parts: PartReader) -> Any:
        values = parts.value("values")
        if head is None:
            return pd.ArrowDtype(values.type).__from_arrow__(values)
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            # pandas would write them out, and a few bytes of another type may stand for very many.
            raise ManifestCorrupt(f"an array of strings holds {shown(values.type)}", where=self.format)
        return _string_dtype("pyarrow", head).__from_arrow__(values)


class Strings(_ExtensionArray):
    """Strings as Python objects: a list with None for what is missing."""

    format: ClassVar[str] = "pandas.strings/1"

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.value("values", value.to_numpy(object, copy=True, na_value=None).tolist())
        return _missing(value.dtype)

    def load(self, head: Any, parts: PartReader) -> Any:
        return self.load_part(head, parts, ALL)

    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> Any:
        check_rows_alone(self, selection)
        values = parts.value("values")
        if not all(one is None or type(one) is str for one in values):
            raise ManifestCorrupt("an array of strings holds something else", where=self.format)
        return pd.array(values[selection.rows or slice(None)], dtype=_string_dtype("python", head))


class NumpyBacked(_ExtensionArray):
    """A NumPy array in the dress of an extension array."""

    format: ClassVar[str] = "pandas.numpy/1"

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.value("values", value.to_numpy())
        return None

    def load(self, head: Any, parts: PartReader) -> Any:
        return pd.arrays.NumpyExtensionArray(parts.value("values"))


def _missing(dtype: Any) -> str:
    return _NA if dtype.na_value is pd.NA else _NAN


def _string_dtype(storage: str, missing: Any) -> Any:
    if missing not in (_NAN, _NA):
        raise ManifestCorrupt(f"strings can't be missing as {missing!r}")
    if missing == _NA:
        return pd.StringDtype(storage)
    try:
        return pd.StringDtype(storage, na_value=np.nan)
    except TypeError as error:
        raise Unsupported("pandas before 2.3 has no strings that are missing as NaN", hint="Upgrade pandas.") from error
