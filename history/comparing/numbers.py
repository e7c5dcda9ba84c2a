"""Arrays and tensors, compared by their numbers."""

from __future__ import annotations

import sys
from typing import Any

NUMBERS = ("what", "before", "now")


def array_of(value: Any) -> Any:
    """A NumPy array of the same numbers, sharing memory where it can; None for what has no such form."""
    numpy = sys.modules.get("numpy")
    if numpy is None:  # Nothing that was loaded needed it.
        return None
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        if value.is_sparse or value.is_quantized:
            return None
        value = value.detach().cpu()
        value = value.float().numpy() if value.dtype == torch.bfloat16 else value.numpy()
    is_array = isinstance(value, numpy.ndarray) and type(value) is numpy.ndarray
    return value if is_array and value.dtype.kind in "biufcSUMm" else None


def array_statistics(array: Any) -> dict[str, str]:
    """Type, shape and, of real numbers, the least, the greatest, mean and deviation, and how many are NaN."""
    import numpy as np

    told = {"dtype": str(array.dtype), "shape": str(tuple(array.shape))}
    if array.dtype.kind not in "biuf" or not array.size:
        return told
    is_nan = np.isnan(array) if array.dtype.kind == "f" else None
    nans = 0 if is_nan is None else int(is_nan.sum())
    numbers = array[~is_nan] if is_nan is not None and nans else array
    if numbers.size:
        with np.errstate(all="ignore"):
            mean, deviation = numbers.mean(dtype=np.float64), numbers.std(dtype=np.float64)
        told |= {"min": _text(numbers.min()), "max": _text(numbers.max())}
        told |= {"mean": _text(mean), "standard deviation": _text(deviation)}
    return {**told, "NaN": f"{nans:,}"} if nans else told


def differing_text(old: Any, new: Any) -> str | None:
    """How many elements differ, and by how much at most; empty where none, None where shapes or types differ."""
    import numpy as np

    if old.shape != new.shape or old.dtype != new.dtype:
        return None
    is_other = old != new
    if old.dtype.kind in "fc":
        is_other &= ~(np.isnan(old) & np.isnan(new))
    count = int(np.count_nonzero(is_other))
    if not count:
        return "" if old.tobytes() == new.tobytes() else "none; zeros or NaNs differ in their bits"
    told = f"{count:,} of {old.size:,}"
    if old.dtype.kind in "iuf":
        with np.errstate(all="ignore"):
            by = np.abs(old[is_other].astype(np.float64) - new[is_other].astype(np.float64))
        told += f", by {_text(by.max())} at most"
    return told


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) or value.dtype.kind == "f" else str(value)
