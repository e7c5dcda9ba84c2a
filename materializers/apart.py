"""What is taken out of a pickled value and saved apart from it: arrays and tables too large to ride in the stream.

Only what can't lead back to the value is: no array of objects, no table with attributes or with other objects in it
than texts, numbers and times. Nothing is imported to decide; whatever has a value of a library has the library.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ..cas.manifest import INLINE_MAX_BYTES
from .base import type_name

_CELL_BYTES = 8
"""What an element of a table is taken to have, so that the same table is always treated the same."""
_SIMPLE_KINDS = {
    *("boolean", "bytes", "complex", "decimal", "empty", "floating", "integer", "string"),
    *("date", "datetime", "datetime64", "time", "timedelta", "timedelta64"),
}


def is_apart(value: object) -> bool:
    """Whether to save this member of a pickled value in its own format."""
    test = _test_of(type(value))
    return test is not None and test(value)


def _test_of(kind: type) -> Callable[[Any], bool] | None:
    library = str(kind.__module__).partition(".")[0]
    if library == "pyarrow":
        names = {type_name(base) for base in kind.__mro__}
        return _is_large_in_arrow if names & _ARROW else None
    return _TESTS.get(type_name(kind)) if library in _LIBRARIES else None


def _is_large_array(value: Any) -> bool:
    return bool(value.nbytes > INLINE_MAX_BYTES and not value.dtype.hasobject)


def _is_large_in_arrow(value: Any) -> bool:
    # A slice would drag along all that it was sliced from.
    return bool(max(value.nbytes, value.get_total_buffer_size()) > INLINE_MAX_BYTES)


def _is_large_in_polars(value: Any) -> bool:
    cells = value.height * value.width if hasattr(value, "width") else len(value)
    return bool(cells * _CELL_BYTES > INLINE_MAX_BYTES)


def _is_simple_tensor(value: Any) -> bool:
    # Of any size: what torch pickles of equal tensors differs.
    strided = sys.modules["torch"].strided
    return bool(value.layout is strided and value.device.type == "cpu" and not vars(value) and not value.is_quantized)


def _is_simple_frame(value: Any) -> bool:
    if value.size * _CELL_BYTES <= INLINE_MAX_BYTES or value.attrs:
        return False
    if not (_is_simple_index(value.index) and _is_simple_index(value.columns)):
        return False
    return all(_is_simple_column(value.iloc[:, number]) for number in range(value.shape[1]))


def _is_simple_series(value: Any) -> bool:
    if len(value) * _CELL_BYTES <= INLINE_MAX_BYTES or value.attrs:
        return False
    return _is_label(value.name) and _is_simple_index(value.index) and _is_simple_column(value)


def _is_large_index(value: Any) -> bool:
    return len(value) * _CELL_BYTES > INLINE_MAX_BYTES and _is_simple_index(value)


def _is_simple_index(index: Any) -> bool:
    if not all(map(_is_label, index.names)):
        return False
    if index.nlevels > 1:
        return all(map(_is_simple_column, index.levels))
    return _is_simple_column(index)


def _is_label(name: object) -> bool:
    return name is None or type(name) in (str, int, float)


def _is_simple_column(values: Any) -> bool:
    pandas = sys.modules["pandas"]
    dtype = values.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        return _is_simple_column(dtype.categories)
    if hasattr(dtype, "hasobject"):
        return not dtype.hasobject or pandas.api.types.infer_dtype(values, skipna=True) in _SIMPLE_KINDS
    # Of the extension types only those that are known to hold nothing else.
    is_its_own = type(dtype).__module__.partition(".")[0] == "pandas"
    return is_its_own and type(dtype).__name__ not in ("NumpyEADtype", "PandasDtype", "SparseDtype")


_LIBRARIES = frozenset(("numpy", "pandas", "polars", "torch"))
_ARROW = frozenset(f"pyarrow.{name}" for name in ("Array", "ChunkedArray", "RecordBatch", "Table"))
_INDEXES = "Index MultiIndex CategoricalIndex DatetimeIndex IntervalIndex PeriodIndex TimedeltaIndex"
_TESTS: dict[str, Callable[[Any], bool]] = {
    "numpy.ndarray": _is_large_array,
    "pandas.DataFrame": _is_simple_frame,
    "pandas.Series": _is_simple_series,
    **dict.fromkeys((f"pandas.{name}" for name in _INDEXES.split()), _is_large_index),
    "polars.DataFrame": _is_large_in_polars,
    "polars.Series": _is_large_in_polars,
    "torch.Tensor": _is_simple_tensor,
    "torch.nn.Parameter": _is_simple_tensor,
}
