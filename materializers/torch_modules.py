"""Modules and state dicts of PyTorch: layers with their parameters, and tensors with small histograms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch

from ..cas.manifest import Plain
from .base import shown
from .charts import histogram
from .markup import Markup, element, escaped
from .pages import Cell, number, page, table
from .visualization import Visualization

_LAYERS_MAX = 500
_TENSORS_MAX = 150
_SAMPLE_MAX = 20_000
_BINS = 24


def metadata(value: Any) -> dict[str, Plain]:
    """How many weights it has, and of which types its layers are."""
    weights = list(value.parameters())
    kinds = sorted({type(one).__name__ for one in value.modules()})
    return {
        "weights": sum(one.numel() for one in weights),
        "trainable": sum(one.numel() for one in weights if one.requires_grad),
        "layers": [shown(kind) for kind in kinds[:100]],
    }


def visualize(value: Any) -> Iterator[Visualization]:
    """The tree of layers, and the tensors of the state."""
    yield Visualization("layers", "text/html", _layers(value))
    yield from tensors(type(value).__name__, value.state_dict().items())


def tensors(title: str, named: Iterable[tuple[Any, Any]]) -> Iterator[Visualization]:
    """A table of tensors: shape, type, range and how the values are distributed, over a sample where they are many."""
    every = [(shown(name), tensor) for name, tensor in named if isinstance(tensor, torch.Tensor)]
    if not every:
        return
    total = sum(tensor.numel() for _, tensor in every)
    header = ["tensor", "shape", "dtype", "values", "min", "mean", "max", "std", "distribution"]
    is_sampled = any(tensor.numel() > _SAMPLE_MAX for _, tensor in every[:_TENSORS_MAX])
    body = table(
        header,
        (_row(name, tensor) for name, tensor in every[:_TENSORS_MAX]),
        markup=["distribution"],
        caption=f"{title}: {len(every):,} tensors, {total:,} values",
    )
    said = [f"Of large tensors, statistics are those of {_SAMPLE_MAX:,} values evenly spread."] if is_sampled else []
    if len(every) > _TENSORS_MAX:
        said.append(f"… and {len(every) - _TENSORS_MAX:,} more tensors.")
    notes = (element("p", escaped(one), class_="m") for one in said)
    yield Visualization("tensors", "text/html", page(title, body, *notes))


def _layers(module: Any) -> str:
    rows: list[list[Cell]] = []
    named = module.named_modules()
    for name, layer in islice(named, _LAYERS_MAX):
        own = sum(one.numel() for one in layer.parameters(recurse=False))
        below = sum(one.numel() for one in layer.parameters())
        frozen = sum(one.numel() for one in layer.parameters() if not one.requires_grad)
        indent = element("span", escaped(shown(name.rpartition(".")[2] or "(itself)")), style=_indent(name))
        rows.append(
            [indent, shown(type(layer).__name__), shown(layer.extra_repr()), own or None, below, frozen or None]
        )
    left = sum(1 for _ in named)
    weights = list(module.parameters())
    total, size = sum(one.numel() for one in weights), sum(one.numel() * one.element_size() for one in weights)
    trainable = sum(one.numel() for one in weights if one.requires_grad)
    summary = f"{total:,} weights, {trainable:,} of them trainable, {number(size / 2**20)} MiB"
    header = ["layer", "type", "settings", "own weights", "all weights", "frozen"]
    return page(
        type(module).__name__,
        element("p", element("b", escaped(shown(type(module).__name__))), escaped(f": {summary}")),
        table(header, rows, markup=["layer"]),
        element("p", escaped(f"… and {left:,} more layers")) if left else None,
    )


def _indent(name: str) -> str:
    depth = name.count(".") + 1 if name else 0
    return f"padding-left:{min(depth, 12) * 1.1:.1f}em"


def _row(name: str, tensor: Any) -> list[Cell]:
    shape = "\u00a0×\u00a0".join(f"{length:,}" for length in tensor.shape) or "scalar"
    known: list[Cell] = [name, shape, str(tensor.dtype).removeprefix("torch."), tensor.numel()]
    values = _sample(tensor)
    if values is None or not values.size:
        return [*known, None, None, None, None, None]
    finite = values[np.isfinite(values)]
    if not finite.size:
        return [*known, "no finite values", None, None, None, None]
    low, mean, high, deviation = (float(one) for one in (finite.min(), finite.mean(), finite.max(), finite.std()))
    return [*known, low, mean, high, deviation, _distribution(finite, low, high)]


def _distribution(finite: Any, low: float, high: float) -> Markup | None:
    if not np.isfinite(high - low) or low == high:
        return None
    counts, _ = np.histogram(finite, bins=_BINS, range=(low, high))
    return histogram(counts.tolist(), tip=f"from {number(low)} to {number(high)}")


def _sample(tensor: Any) -> Any:
    """Some of its values as float64; None where they are no numbers in a row."""
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_complex() or tensor.device.type == "meta":
        return None
    flat = tensor.detach()
    # Rows first, so that little is copied of what does not lie in a row.
    if flat.ndim > 1 and not flat.is_contiguous():
        flat = flat[:: max(1, flat.numel() // _SAMPLE_MAX // max(1, flat[0].numel()))]
    flat = flat.reshape(-1)
    return flat[:: max(1, -(-flat.numel() // _SAMPLE_MAX))].cpu().double().numpy()
