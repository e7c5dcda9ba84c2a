"""Masked arrays and record arrays of NumPy: the arrays that they are made of. What lies under a mask is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .array_views import histogram_of
from .base import Materializer, PartReader, PartWriter, shown
from .numeric import is_numeric, sample_of
from .visualization import Visualization


class MaskedArray(Materializer[Any]):
    """Masked arrays, with their fill value and whether the mask is hard."""

    format: ClassVar[str] = "numpy.masked/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.value("data", np.asarray(value.data))
        if value.mask is not np.ma.nomask:
            parts.value("mask", np.asarray(value.mask))
        if value._fill_value is not None:
            parts.value("fill_value", np.asarray(value._fill_value))
        return {"hard_mask": bool(value.hardmask)}

    def load(self, head: Any, parts: PartReader) -> Any:
        names, data = parts.names(), _array(parts, "data")
        mask: Any = _array(parts, "mask") if "mask" in names else np.ma.nomask
        if mask is not np.ma.nomask and mask.shape != data.shape:
            raise ManifestCorrupt("the mask of an array has another shape", where=self.format)
        made: Any = np.ma.MaskedArray(data, mask, copy=False, hard_mask=bool(head["hard_mask"]))
        if "fill_value" in names:
            made.fill_value = _array(parts, "fill_value")[()]
        return made

    def metadata(self, value: Any) -> dict[str, Plain]:
        facts: dict[str, Plain] = {"shape": list(value.shape), "dtype": shown(value.dtype)}
        return facts if value.dtype.names else {**facts, "masked": int(np.sum(value.mask))}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        if is_numeric(value.dtype):
            sample = sample_of(value.compressed())
            yield from histogram_of(sample, value.count())


class RecordArray(Materializer[Any]):
    """Structured arrays whose fields are attributes."""

    format: ClassVar[str] = "numpy.recarray/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.value("array", value.view(np.dtype((np.void, value.dtype)), np.ndarray))
        return None

    def load(self, head: Any, parts: PartReader) -> Any:
        return _array(parts, "array").view(np.recarray)

    def metadata(self, value: Any) -> dict[str, Plain]:
        return {"shape": list(value.shape), "dtype": shown(value.dtype)}


def _array(parts: PartReader, name: str) -> np.ndarray[Any, Any]:
    array = parts.value(name)
    if not isinstance(array, np.ndarray):
        raise ManifestCorrupt(f"the part {name} of an array is none")
    return array
