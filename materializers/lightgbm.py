"""Models of LightGBM: in its own text, which later versions read; estimators with their parameters beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import lightgbm
from lightgbm.basic import LightGBMError

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .base import Materializer, PartReader, PartWriter, shown
from .boosted import Estimators, fitted_on
from .lightgbm_text import check_model
from .models import importances, parameters
from .visualization import Visualization

_ESTIMATORS = ("LGBMClassifier", "LGBMModel", "LGBMRanker", "LGBMRegressor")
_ALL_ITERATIONS = -1
_ENCODER = "_le"
"""What a classifier keeps its encoder of labels as."""


class Booster(Materializer[Any]):
    """Boosters, with all iterations, which of them was best and how it scored."""

    format: ClassVar[str] = "lightgbm.Booster/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.buffer("model", value.model_to_string(num_iteration=_ALL_ITERATIONS).encode())
        parts.value("best_score", {name: dict(scores) for name, scores in value.best_score.items()})
        parts.value("params", value.params)
        return {"best_iteration": value.best_iteration}

    def load(self, head: Any, parts: PartReader) -> Any:
        text = str(parts.buffer("model"), "utf-8")
        check_model(text)
        try:
            booster = lightgbm.Booster(model_str=text)
        except LightGBMError as error:
            raise ManifestCorrupt(f"a model can't be read: {error}", where=self.format) from error
        booster.best_iteration = head["best_iteration"]
        booster.best_score.update(parts.value("best_score"))
        booster.params = parts.value("params")
        return booster

    def metadata(self, value: Any) -> dict[str, Plain]:
        names = [shown(name) for name in value.feature_name()[:100]]
        return {"trees": value.num_trees(), "features": value.num_feature(), "names": names}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        gains = value.feature_importance("gain")
        yield importances("gain of features", [str(name) for name in value.feature_name()], gains)
        yield parameters("parameters", value.params, {})


class Estimator1(Estimators):
    """Estimators whose classifiers' encoder of labels is pickled."""

    format: ClassVar[str] = "lightgbm.estimator/1"
    kinds: ClassVar[dict[str, type]] = {name: getattr(lightgbm, name) for name in _ESTIMATORS}


class Estimator(Estimator1):
    """Estimators, with their parameters."""

    format: ClassVar[str] = "lightgbm.estimator/2"

    def state_of(self, value: Any) -> dict[str, Any]:
        state = super().state_of(value)
        if (encoder := state.get(_ENCODER)) is not None and type(encoder) is _encoders():
            state[_ENCODER] = dict(vars(encoder))
        return state

    def load(self, head: Any, parts: PartReader) -> Any:
        made = super().load(head, parts)
        if type(state := vars(made).get(_ENCODER)) is dict:
            encoder = vars(made)[_ENCODER] = _encoders()()
            vars(encoder).update(state)
        return made

    def metadata(self, value: Any) -> dict[str, Plain]:
        parameters = {shown(name): shown(one) for name, one in value.get_params().items() if one is not None}
        return {"parameters": parameters, **fitted_on(value)}


def _encoders() -> Any:
    """The class of encoders of labels; boosters do without scikit-learn, which has it."""
    from sklearn.preprocessing import LabelEncoder

    return LabelEncoder
