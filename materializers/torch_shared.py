"""Tensors that share memory, as those of a state dict with tied weights: the memory once, and how each looks at it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .base import Materializer, PartReader, PartWriter


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


class Shared(Materializer[SharedTensors]):
    """Tensors over one memory. The head is the indices, and for each how it looks at the memory."""

    format: ClassVar[str] = "torch.shared/1"
    exact: ClassVar[bool] = True

    def save(self, value: SharedTensors, parts: PartWriter) -> Plain:
        import torch

        storage = value.tensors[0].untyped_storage()
        flat = torch.empty(0, dtype=torch.uint8).set_(storage, 0, (storage.nbytes(),))
        parts.buffer("storage", flat.numpy().data, item_bytes=value.tensors[0].element_size())
        numbers: dict[int, int] = {}
        looks: list[Plain] = []
        for tensor in value.tensors:
            if numbers.setdefault(id(tensor), len(looks)) == len(looks):
                looks.append(_look(torch, tensor))
        return {"indices": list(value.indices), "of": [numbers[id(one)] for one in value.tensors], "looks": looks}

    def load(self, head: Any, parts: PartReader) -> SharedTensors:
        import torch

        storage = torch.frombuffer(parts.buffer("storage"), dtype=torch.uint8).untyped_storage()
        made = [_seen(torch, storage, look) for look in head["looks"]]
        return SharedTensors(head["indices"], [made[number] for number in head["of"]])


def _look(torch: Any, tensor: Any) -> dict[str, Plain]:
    return {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "offset": tensor.storage_offset(),
        "shape": list(tensor.shape),
        "strides": list(tensor.stride()),
        "requires_grad": tensor.requires_grad,
        "is_parameter": isinstance(tensor, torch.nn.Parameter),
    }


def _seen(torch: Any, storage: Any, look: Any) -> Any:
    dtype = getattr(torch, look["dtype"])
    shape, strides, offset = look["shape"], look["strides"], look["offset"]
    numbers = [offset, *shape, *strides]
    if not isinstance(dtype, torch.dtype) or any(type(one) is not int or one < 0 for one in numbers):
        raise ManifestCorrupt("a tensor looks at memory in a way that none can")
    steps = [(length - 1) * stride for length, stride in zip(shape, strides, strict=True)]
    last = offset + (sum(steps) if 0 not in shape else 0)
    if (last + 1) * dtype.itemsize > storage.nbytes():
        raise ManifestCorrupt("a tensor looks beyond the memory that it shares")
    tensor = torch.empty(0, dtype=dtype).set_(storage, offset, shape, strides)
    if look["is_parameter"]:
        return torch.nn.Parameter(tensor, requires_grad=bool(look["requires_grad"]))
    return tensor.requires_grad_(bool(look["requires_grad"]))
