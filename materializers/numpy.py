"""NumPy arrays: one raw buffer each, neither copied on the way in nor on the way out.

The head is ``{dtype, shape, order}``. An array of objects has its elements as a list instead of the buffer; one of a
dtype that has no plain description is pickled whole. Memory-mapped arrays are saved as the arrays they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np

from ..cas.manifest import Plain
from ..errors import BlobCorrupt, Invalid, ManifestCorrupt
from .array_views import views_of
from .base import Materializer, PartReader, PartWriter, Selection, check_rows_alone, shown
from .numeric import statistics
from .numpy_dtypes import bytes_of, decode_dtype, encode_dtype
from .visualization import Visualization

_OBJECT = np.dtype(object)
_MAX_DIMENSIONS = 64


class Ndarray(Materializer[np.ndarray[Any, Any]]):
    """Arrays of any shape and dtype, in C or Fortran order; any other order becomes C."""

    format: ClassVar[str] = "numpy.ndarray/1"
    exact: ClassVar[bool] = True

    def save(self, value: np.ndarray[Any, Any], parts: PartWriter) -> Plain:
        array = np.asarray(value)
        order: Literal["C", "F"] = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        dtype: Plain = "object" if array.dtype == _OBJECT else encode_dtype(array.dtype)
        if dtype is None:
            parts.value("array", array, pickled=True)
            return None
        if dtype == "object":
            parts.value("elements", array.ravel(order).tolist())
        else:
            parts.buffer("data", bytes_of(array, order), item_bytes=array.itemsize)
        return {"dtype": dtype, "shape": list(array.shape), "order": order}

    def load(self, head: Any, parts: PartReader) -> np.ndarray[Any, Any]:
        if head is None:
            return _checked(parts.value("array"))
        shape, order = _shape(head["shape"]), head["order"]
        if order not in ("C", "F"):
            raise ManifestCorrupt(f"an array has no order {order!r}")
        if head["dtype"] == "object":
            elements = parts.value("elements")
            if not isinstance(elements, list):
                raise ManifestCorrupt("an array's elements are no list")
            return np.fromiter(elements, _OBJECT, len(elements)).reshape(shape, order=order)
        dtype = decode_dtype(head["dtype"])
        expected_bytes, found_bytes = math.prod(shape) * dtype.itemsize, parts.size_bytes("data")
        if found_bytes != expected_bytes:
            raise BlobCorrupt(f"an array of {expected_bytes:,} bytes has {found_bytes:,}", size_bytes=found_bytes)
        return _aligned(np.ndarray(shape, dtype, parts.buffer("data"), order=order))

    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> np.ndarray[Any, Any]:
        check_rows_alone(self, selection)
        rows = selection.rows or slice(None)
        if head is not None and not head["shape"]:
            raise Invalid("an array without dimensions has no rows to select", hint="Load it whole.")
        if head is None or head["dtype"] == "object" or (head["order"] == "F" and len(head["shape"]) > 1):
            # The rows do not lie together.
            return self.load(head, parts)[rows]
        shape, dtype = _shape(head["shape"]), decode_dtype(head["dtype"])
        start, stop, _ = rows.indices(shape[0])
        row_bytes = math.prod(shape[1:]) * dtype.itemsize
        if parts.size_bytes("data") != shape[0] * row_bytes:
            raise BlobCorrupt(f"an array of {shape[0] * row_bytes:,} bytes has others", where=self.format)
        count = max(0, stop - start)
        data = parts.buffer("data", start * row_bytes, (start + count) * row_bytes)
        return _aligned(np.ndarray((count, *shape[1:]), dtype, data))

    def metadata(self, value: np.ndarray[Any, Any]) -> dict[str, Plain]:
        return {"shape": list(value.shape), "dtype": shown(value.dtype), **statistics(np.asarray(value))}

    def visualize(self, value: np.ndarray[Any, Any]) -> Iterator[Visualization]:
        yield from views_of(np.asarray(value))


def _aligned(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array, copied where its elements are wider than what buffers are mapped at, as those of 16 bytes are."""
    return array if array.flags.aligned else array.copy("K")


def _checked(array: Any) -> np.ndarray[Any, Any]:
    if not isinstance(array, np.ndarray):
        raise ManifestCorrupt("what was pickled for an array is none")
    return array


def _shape(plain: Any) -> tuple[int, ...]:
    if not isinstance(plain, list) or len(plain) > _MAX_DIMENSIONS:
        raise ManifestCorrupt(f"an array can't have the shape {plain!r}")
    if any(type(length) is not int or length < 0 for length in plain):
        raise ManifestCorrupt(f"an array can't have the shape {plain!r}")
    return tuple(plain)
