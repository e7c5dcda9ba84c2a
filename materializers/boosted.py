"""Estimators around a booster, whichever library it is of: their attributes, and the booster apart in its own form."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .base import Materializer, PartReader, PartWriter, shown
from .models import importances, parameters, scores
from .visualization import Visualization

_BOOSTER = "_Booster"
_NAMES_MAX = 100


class Estimators(Materializer[Any]):
    """Estimators, fitted or not."""

    exact: ClassVar[bool] = True
    kinds: ClassVar[dict[str, type]]
    """The classes, by name."""

    def state_of(self, value: Any) -> dict[str, Any]:
        """Its attributes, as they are saved."""
        return dict(vars(value))

    def save(self, value: Any, parts: PartWriter) -> Plain:
        state = self.state_of(value)
        booster = state.pop(_BOOSTER, None)
        parts.value("state", state)
        if booster is not None:
            parts.value("booster", booster)
        return {"class": type(value).__name__, "has_place": _BOOSTER in vars(value)}

    def load(self, head: Any, parts: PartReader) -> Any:
        state = parts.value("state")
        if head["class"] not in self.kinds or type(state) is not dict:
            raise ManifestCorrupt("an estimator has no class or no attributes", where=self.format)
        made: Any = object.__new__(self.kinds[head["class"]])
        vars(made).update(state)
        if head["has_place"]:
            vars(made)[_BOOSTER] = parts.value("booster") if "booster" in parts.names() else None
        return made

    def visualize(self, value: Any) -> Iterator[Visualization]:
        name, state = type(value).__name__, vars(value)
        if state.get(_BOOSTER) is not None:
            names = [str(one) for one in getattr(value, "feature_names_in_", ())]
            found = np.asarray(value.feature_importances_)
            if found.ndim > 1:  # of a linear booster, for each class
                found = np.abs(found).mean(axis=int(found.shape[0] == value.n_features_in_))
            yield importances(f"importances of features of {name}", names or None, found)
        yield from scores(name, state.get("evals_result_") or state.get("_evals_result") or {})
        yield parameters(name, value.get_params(), _defaults(type(value)))


def _defaults(kind: type) -> dict[str, Any]:
    """What each parameter is by default: a class leaves to its bases what it doesn't name."""
    taken = (inspect.signature(base.__init__).parameters.values() for base in reversed(kind.__mro__))  # type: ignore[misc]
    return {one.name: one.default for every in taken for one in every if one.default is not inspect.Parameter.empty}


def fitted_on(estimator: Any) -> dict[str, Plain]:
    """How many features an estimator was fitted on, and their names, where it was and they have any."""
    if vars(estimator).get(_BOOSTER) is None:
        return {}
    names = [shown(name) for name in getattr(estimator, "feature_names_in_", ())[:_NAMES_MAX]]
    return {"features": int(estimator.n_features_in_), **({"names": names} if names else {})}
