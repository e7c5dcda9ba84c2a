"""Tensors that share memory, as those of a state dict with tied weights: which ones of a container do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple


class SharedTensors(NamedTuple):
    """Some of the objects of a container, by their index there."""

    indices: Sequence[int]
    tensors: Sequence[Any]


def sharing(objects: Sequence[Any]) -> list[SharedTensors]:
    """Which of these objects are tensors that share memory, or are one."""
    torch = sys.modules.get("torch")
    if torch is None or len(objects) < 2:
        return []
    by_storage: dict[int, list[int]] = {}
    for index, one in enumerate(objects):
        if type(one) in (torch.Tensor, torch.nn.Parameter) and _is_simple(torch, one):
            by_storage.setdefault(one.untyped_storage().data_ptr(), []).append(index)
    return [SharedTensors(found, [objects[index] for index in found]) for found in by_storage.values() if found[1:]]


def _is_simple(torch: Any, tensor: Any) -> bool:
    is_plain = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    is_bare = not vars(tensor) and not tensor.is_conj() and not tensor.is_neg()
    return bool(is_plain and is_bare and tensor.untyped_storage().nbytes())
