"""Models of XGBoost: in its own JSON, which later versions read; estimators with their parameters beside it.

Not in its binary JSON: that aborts the process where it is damaged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import xgboost

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .base import Materializer, PartReader, PartWriter, shown
from .boosted import Estimators, fitted_on
from .models import importances, parameters
from .visualization import Visualization

_ESTIMATORS = ("XGBClassifier", "XGBModel", "XGBRanker", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")


class Booster(Materializer[Any]):
    """Boosters, with their attributes and the names and types of features."""

    format: ClassVar[str] = "xgboost.Booster/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.buffer("model", value.save_raw("json"))
        return None

    def load(self, head: Any, parts: PartReader) -> Any:
        model = bytearray(parts.buffer("model"))
        if not isinstance(json.loads(model), dict):
            raise ManifestCorrupt("a model is no JSON object", where=self.format)
        booster = xgboost.Booster()
        booster.load_model(model)
        return booster

    def metadata(self, value: Any) -> dict[str, Plain]:
        names = value.feature_names or []
        return {"trees": value.num_boosted_rounds(), "features": value.num_features(), "names": list(names)[:100]}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        names = value.feature_names or [f"f{index}" for index in range(value.num_features())]
        configured = _configured(value)
        measure = "weight" if configured["booster"] == "gblinear" else "gain"
        found = value.get_score(importance_type=measure)
        if all(isinstance(one, (int, float)) for one in found.values()):
            yield importances(f"{measure} of features", names, [found.get(name, 0.0) for name in names])
        yield parameters("parameters", configured, {})


class Estimator(Estimators):
    """Estimators, with their parameters."""

    format: ClassVar[str] = "xgboost.estimator/1"
    kinds: ClassVar[dict[str, type]] = {name: getattr(xgboost, name) for name in _ESTIMATORS}

    def metadata(self, value: Any) -> dict[str, Plain]:
        parameters = {name: one for name, one in value.get_xgb_params().items() if one is not None}
        return {"parameters": {shown(name): shown(one) for name, one in parameters.items()}, **fitted_on(value)}


def _configured(booster: Any) -> dict[str, Any]:
    """What a booster is configured to do, as far as XGBoost tells it in flat tables."""
    configured = json.loads(booster.save_config())["learner"]
    found = {"booster": configured["gradient_booster"]["name"], "objective": configured["objective"]["name"]}
    for table in configured["gradient_booster"].values():
        if isinstance(table, dict):
            found.update((name, one) for name, one in table.items() if isinstance(one, str))
    return found
