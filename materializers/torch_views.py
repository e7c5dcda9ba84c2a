"""What tensors of PyTorch show of themselves: what arrays do, with pictures whose channels come first turned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ..cas.manifest import Plain
from .array_views import views_of
from .base import shown
from .numeric import statistics
from .visualization import Visualization

_COPIED_MAX_ITEMS = 4_000_000
"""Of larger tensors that have to be copied to be looked at, rows are left out, evenly."""
_CHANNELS = (1, 3, 4)


def metadata_of(tensor: Any) -> dict[str, Plain]:
    """Shape, dtype, where it is, and what its values come to."""
    facts: dict[str, Plain] = {
        "shape": list(tensor.shape),
        "dtype": shown(tensor.dtype),
        "device": str(tensor.device),
        "requires_grad": bool(tensor.requires_grad),
    }
    array = _array_of(tensor)
    return facts if array is None else {**facts, **statistics(array)}


def visualize(tensor: Any) -> Iterator[Visualization]:
    """What an array of its values shows."""
    array = _array_of(tensor)
    if array is not None:
        yield from views_of(_turned(array))


def _array_of(tensor: Any) -> Any:
    """Its values as an array, over the same memory where there can be one; None where they are not dense, or nowhere.

    What has a dtype that arrays don't have, or is on another device, is copied.
    """
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type == "meta":
        return None
    values = tensor.detach()
    if values.is_conj() or values.is_neg() or values.device.type != "cpu" or not _has_numpy_dtype(values):
        if values.ndim and values.numel() > _COPIED_MAX_ITEMS:
            values = values[:: -(-values.numel() // _COPIED_MAX_ITEMS)]
        values = values.resolve_conj().resolve_neg().cpu()
    return values.numpy() if _has_numpy_dtype(values) else values.float().numpy()


def _has_numpy_dtype(tensor: Any) -> bool:
    try:
        tensor.new_empty(0, device="cpu").numpy()
    except (TypeError, RuntimeError):
        return False
    return True


def _turned(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Pictures with their channels last, as arrays have them, where a tensor's come first."""
    axis = array.ndim - 3
    if axis not in (0, 1) or array.shape[axis] not in _CHANNELS or array.shape[-1] in _CHANNELS:
        return array
    turned = np.moveaxis(array, axis, -1)
    return turned[..., 0] if axis == 0 and turned.shape[-1] == 1 else turned
