"""Sparse arrays of pandas: the values that are there, where they are, and what all others are."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pandas._libs.sparse import IntIndex

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .base import Materializer, PartReader, PartWriter, Selection, check_rows_alone, shown

_KINDS = ("block", "integer")
_LENGTH_MAX = 2**31 - 1


class Sparse(Materializer[Any]):
    """Sparse arrays, of either kind of index."""

    format: ClassVar[str] = "pandas.sparse/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.value("values", np.asarray(value.sp_values))
        parts.value("indices", value.sp_index.indices)
        parts.value("fill_value", value.fill_value)
        return {"length": len(value), "kind": value.kind}

    def load(self, head: Any, parts: PartReader) -> Any:
        values, indices = parts.value("values"), parts.value("indices")
        if head["kind"] not in _KINDS or not isinstance(values, np.ndarray) or len(values) != len(indices):
            raise ManifestCorrupt("a sparse array has other values than places for them", where=self.format)
        if head["length"] > _LENGTH_MAX:
            raise ManifestCorrupt("a sparse array is longer than its places can tell", where=self.format)
        index = IntIndex(head["length"], indices)
        dtype = pd.SparseDtype(values.dtype, parts.value("fill_value"))
        sparse = index if head["kind"] == "integer" else index.to_block_index()
        # The one constructor that takes an index in every version.
        return pd.arrays.SparseArray._simple_new(values, sparse, dtype)

    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> Any:
        check_rows_alone(self, selection)
        return rows_of(self.load(head, parts), selection.rows or slice(None))

    def metadata(self, value: Any) -> dict[str, Plain]:
        return {"length": len(value), "dtype": shown(value.dtype), "density": float(value.density)}


def rows_of(array: Any, rows: slice) -> Any:
    """Some rows; a slice of a sparse array takes memory for all of them, be there ever so few values."""
    start, stop, step = rows.indices(len(array))
    return array.take(np.arange(start, stop, step, dtype=np.int32))
