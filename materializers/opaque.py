"""What values that have no format of their own say and show of themselves: a module of this room for each library."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from ..cas.manifest import Plain
from .plain_views import views_of
from .visualization import Visualization

_BY_TYPE = {
    "builtins.BaseException": ".tracebacks",
    "sklearn.base.BaseEstimator": ".scikit_learn",
    "sklearn.metrics._plot.confusion_matrix.ConfusionMatrixDisplay": ".scikit_learn",
    "torch.nn.modules.module.Module": ".torch_modules",
}
"""By the name of a base class, so that nothing is imported to decide."""


def metadata(value: object) -> dict[str, Plain]:
    """What is worth searching for."""
    found = _module(type(value))
    told: dict[str, Plain] = {} if found is None else found.metadata(value)
    return told


def visualize(value: object) -> Iterable[Visualization]:
    """What it shows, the most telling first."""
    found = _module(type(value))
    drawn: Iterable[Visualization] = views_of(value) if found is None else found.visualize(value)
    return drawn


def _module(kind: type) -> Any:
    for base in kind.__mro__:
        place = _BY_TYPE.get(f"{base.__module__}.{base.__qualname__}")
        if place is not None:
            return import_module(place, __package__)
    return None
