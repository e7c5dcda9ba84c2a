"""The materializers of a step's own: code that makes its outputs bytes, or its inputs values, and so counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

from ...materializers import REGISTRY, name_of_code
from .annotations import annotations_of
from .outputs import Outputs


def materializers_of(function: Callable[..., Any], outputs: Outputs) -> set[str]:
    """The registered and declared materializers of what a step says it takes and gives, as ``module:name``.

    Lineal's own are not among them: their formats have versions. What is not annotated is not known before it is there.
    """
    chosen = [type(spec.materializer) for spec in outputs.specs if spec.materializer is not None]
    kinds = {kind for annotation in annotations_of(function).values() for kind in _types_in(annotation)}
    found = [*chosen, *(one for one in map(REGISTRY.registered_for, kinds) if one is not None)]
    return {name for materializer in found for name in name_of_code(materializer)}


def _types_in(annotation: Any) -> Iterator[type]:
    """The classes that an annotation is made of."""
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for argument in get_args(annotation):
        yield from _types_in(argument)
