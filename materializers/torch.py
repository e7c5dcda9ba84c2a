"""Tensors of PyTorch: one raw buffer each, on the CPU and in C order, mapped on the way out.

What is no part of the value is left behind: the device, the strides, the graph that computed it. Tensors of one
container that share memory are one part with it, and share it again. Tensors that are no strided arrays, as sparse and
quantized ones, and those with attributes of their own are pickled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import torch

from ..cas.manifest import Plain
from ..errors import BlobCorrupt, Invalid, ManifestCorrupt
from .base import ALL, Materializer, PartReader, PartWriter, Selection, check_rows_alone
from .torch_sharing import SharedTensors
from .torch_views import metadata_of, visualize
from .visualization import Visualization

_DTYPES = {str(one).removeprefix("torch."): one for one in vars(torch).values() if isinstance(one, torch.dtype)}
_MAX_DIMENSIONS = 64


class Tensor(Materializer[Any]):
    """Tensors and parameters of any dtype and shape, with whether they require a gradient."""

    format: ClassVar[str] = "torch.Tensor/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        if value.layout is not torch.strided or value.is_quantized or vars(value):
            parts.value("pickled", value, pickled=True)
            return None
        tensor = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
        data = tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b""
        parts.buffer("data", data, item_bytes=tensor.element_size())
        return {
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "shape": list(tensor.shape),
            "requires_grad": value.requires_grad,
            "is_parameter": isinstance(value, torch.nn.Parameter),
        }

    def load(self, head: Any, parts: PartReader) -> Any:
        return self.load_part(head, parts, ALL)

    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> Any:
        check_rows_alone(self, selection)
        rows = slice(None) if selection.rows is None else selection.rows
        if head is None:
            tensor = parts.value("pickled")
            if not isinstance(tensor, torch.Tensor):
                raise ManifestCorrupt("what was pickled for a tensor is none", where=self.format)
            return tensor if selection.is_all else tensor[rows]
        tensor = self._read(head, parts, selection)
        if head["is_parameter"]:
            return torch.nn.Parameter(tensor, requires_grad=bool(head["requires_grad"]))
        return tensor.requires_grad_(bool(head["requires_grad"]))

    def _read(self, head: dict[str, Any], parts: PartReader, selection: Selection) -> Any:
        dtype, shape = _DTYPES[head["dtype"]], _shape(head["shape"])
        expected_bytes, found_bytes = math.prod(shape) * dtype.itemsize, parts.size_bytes("data")
        if expected_bytes != found_bytes:
            raise BlobCorrupt(f"a tensor of {expected_bytes:,} bytes has {found_bytes:,}", where=self.format)
        start, stop = 0, shape[0] if shape else 0
        if selection.rows is not None:
            if not shape:
                raise Invalid("a tensor without dimensions has no rows to select", hint="Load it whole.")
            start, stop, _ = selection.rows.indices(shape[0])
            shape = (max(0, stop - start), *shape[1:])
        if not math.prod(shape):
            return torch.empty(shape, dtype=dtype)
        row_bytes = math.prod(shape[1:]) * dtype.itemsize
        data = parts.buffer("data", start * row_bytes, stop * row_bytes) if shape else parts.buffer("data")
        return torch.frombuffer(data, dtype=dtype).reshape(shape)

    def metadata(self, value: Any) -> dict[str, Plain]:
        return metadata_of(value)

    def visualize(self, value: Any) -> Iterator[Visualization]:
        yield from visualize(value)


class Shared(Materializer[SharedTensors]):
    """Tensors over one memory. The head is the indices, and for each how it looks at the memory."""

    format: ClassVar[str] = "torch.shared/1"
    exact: ClassVar[bool] = True

    def save(self, value: SharedTensors, parts: PartWriter) -> Plain:
        storage = value.tensors[0].untyped_storage()
        flat = torch.empty(0, dtype=torch.uint8).set_(storage, 0, (storage.nbytes(),))
        parts.buffer("storage", flat.numpy().data, item_bytes=value.tensors[0].element_size())
        numbers: dict[int, int] = {}
        looks: list[Plain] = []
        for tensor in value.tensors:
            if numbers.setdefault(id(tensor), len(looks)) == len(looks):
                looks.append(_look(tensor))
        return {"indices": list(value.indices), "of": [numbers[id(one)] for one in value.tensors], "looks": looks}

    def load(self, head: Any, parts: PartReader) -> SharedTensors:
        storage = torch.frombuffer(parts.buffer("storage"), dtype=torch.uint8).untyped_storage()
        made = [_seen(storage, look) for look in head["looks"]]
        return SharedTensors(head["indices"], [made[number] for number in head["of"]])


def _look(tensor: Any) -> dict[str, Plain]:
    return {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "offset": tensor.storage_offset(),
        "shape": list(tensor.shape),
        "strides": list(tensor.stride()),
        "requires_grad": tensor.requires_grad,
        "is_parameter": isinstance(tensor, torch.nn.Parameter),
    }


def _seen(storage: Any, look: Any) -> Any:
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


def _shape(plain: Any) -> tuple[int, ...]:
    if not isinstance(plain, list) or len(plain) > _MAX_DIMENSIONS:
        raise ManifestCorrupt(f"a tensor can't have the shape {plain!r}")
    if any(type(length) is not int or length < 0 for length in plain):
        raise ManifestCorrupt(f"a tensor can't have the shape {plain!r}")
    return tuple(plain)
