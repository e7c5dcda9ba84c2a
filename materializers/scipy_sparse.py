"""Sparse arrays and matrices of SciPy: the arrays that each is made of, mapped where large."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import scipy.sparse

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .array_views import histogram_of, views_of_matrix
from .base import Materializer, PartReader, PartWriter, shown
from .numeric import sample_of
from .visualization import Visualization

_PARTS = {
    **dict.fromkeys(("bsr", "csc", "csr"), ("data", "indices", "indptr")),
    "coo": ("data",),
    "dia": ("data", "offsets"),
    "dok": (),
    "lil": (),
}


class Sparse(Materializer[Any]):
    """All formats, of the new arrays and the old matrices; zeros that are stored, and duplicates, are kept."""

    format: ClassVar[str] = "scipy.sparse/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        kind: str = value.format
        for name in _PARTS[kind]:
            parts.value(name, np.asarray(getattr(value, name)))
        if kind == "coo":
            for axis, coordinates in enumerate(value.coords):
                parts.value(f"coords.{axis}", coordinates)
        elif kind == "dok":
            parts.value("keys", np.array([*value.keys()], np.int64).reshape(value.nnz, value.ndim))
            parts.value("data", np.fromiter(value.values(), value.dtype, value.nnz))
        elif kind == "lil":
            rows = value.tocsr()
            for name in _PARTS["csr"]:
                parts.value(name, getattr(rows, name))
        is_array = isinstance(value, scipy.sparse.sparray)
        return {"kind": kind, "is_array": is_array, "shape": list(map(int, value.shape))}

    def load(self, head: Any, parts: PartReader) -> Any:
        kind, shape = head["kind"], tuple(head["shape"])
        if kind not in _PARTS or not all(type(length) is int and 0 <= length < 2**63 for length in shape):
            raise ManifestCorrupt("a sparse array has no kind or shape", where=self.format)
        make = getattr(scipy.sparse, f"{kind}_{'array' if head['is_array'] else 'matrix'}")
        if kind == "dia":
            return make((_array(parts, "data"), _array(parts, "offsets")), shape=shape)
        if kind == "coo":
            count = sum(name.startswith("coords.") for name in parts.names())
            coordinates = tuple(_array(parts, f"coords.{axis}") for axis in range(count))
            return _checked(make((_array(parts, "data"), coordinates), shape=shape))
        if kind == "dok":
            return _dok(make, shape, _array(parts, "keys"), _array(parts, "data"))
        data, indices, pointers = (_array(parts, name) for name in _PARTS["csr"])
        if kind == "lil":
            _check_rows(shape, pointers)
            rows = scipy.sparse.csr_array if head["is_array"] else scipy.sparse.csr_matrix
            return _checked(rows((data, indices, pointers), shape=shape)).tolil()
        return _checked(make((data, indices, pointers), shape=shape))

    def metadata(self, value: Any) -> dict[str, Plain]:
        return {"shape": list(map(int, value.shape)), "dtype": shown(value.dtype), "stored": int(value.nnz)}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        stored = _stored_in_diagonals(value) if value.format == "dia" else value.tocoo()
        if value.ndim == 2:
            yield from views_of_matrix(stored.row, stored.col, stored.data, (int(value.shape[0]), int(value.shape[1])))
        elif stored.nnz:
            yield from histogram_of(sample_of(stored.data), stored.nnz)


def _stored_in_diagonals(value: Any) -> Any:
    """What diagonals store that lies inside; SciPy takes memory for every row, be there ever so few values."""
    data = value.data[:, : value.shape[1]]
    columns = np.broadcast_to(np.arange(data.shape[1]), data.shape)
    rows = columns - value.offsets[:, None]
    is_inside = (rows >= 0) & (rows < value.shape[0]) & (data != 0)
    return scipy.sparse.coo_array((data[is_inside], (rows[is_inside], columns[is_inside])), shape=value.shape)


def _array(parts: PartReader, name: str) -> Any:
    array = parts.value(name)
    if not isinstance(array, np.ndarray):
        raise ManifestCorrupt(f"the part {name} of a sparse array is no array")
    return array


def _checked(made: Any) -> Any:
    """What compiled code may walk along: it would follow an index to wherever it leads."""
    made.check_format(full_check=True) if hasattr(made, "check_format") else made._check()
    return made


def _check_rows(shape: tuple[int, ...], pointers: Any) -> None:
    # A list of lists has one for each row, however few are stored.
    if len(shape) != 2 or len(pointers) != shape[0] + 1:
        raise ManifestCorrupt("a sparse array has another number of rows than of their beginnings")


def _dok(make: Any, shape: tuple[int, ...], keys: Any, data: Any) -> Any:
    is_inside = keys.ndim == 2 and keys.shape == (len(data), len(shape)) and bool(((keys >= 0) & (keys < shape)).all())
    if not is_inside:
        raise ManifestCorrupt("a sparse array has values outside of it")
    made = make(shape, dtype=data.dtype)
    places = map(tuple, keys.tolist()) if len(shape) > 1 else map(int, keys[:, 0])
    made._dict.update(zip(places, data, strict=True))
    return made
