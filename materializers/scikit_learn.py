"""Estimators of scikit-learn, which are pickled: what they say and show of themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import estimator_html_repr

from ..cas.manifest import Plain
from .base import shown
from .confusion import confusion
from .markup import Markup
from .models import importances, parameters, value_of
from .pages import Cell, page, table
from .sanitized import sanitized
from .visualization import Visualization

_NAMES_MAX = 100
_CANDIDATES_MAX = 20
_ID = re.compile(r"sk-(container|estimator)-id-\d+")
# Links, and what is shown where the pointer rests on one.
_LINKED = re.compile(r'<a class="sk-estimator-doc-link.*?</a>|<span class="param-doc-description.*?</span>', re.DOTALL)
# What scikit-learn leaves to a script.
_THEME = Markup(
    "<style>.sk-global{--sklearn-color-text-on-default-background:black;--sklearn-color-background:white;"
    "--sklearn-color-border-box:black;--sklearn-color-icon:#696969}@media (prefers-color-scheme:dark){.sk-global{"
    "--sklearn-color-text-on-default-background:white;--sklearn-color-background:#111;"
    "--sklearn-color-border-box:white;--sklearn-color-icon:#878787}}</style>"
)


def metadata(value: Any) -> dict[str, Plain]:
    """Parameters that are not as by default, what it was fitted on, and how many coefficients it has."""
    if not isinstance(value, BaseEstimator):
        return {}
    given, defaults = _parameters(value)
    changed = {name: one for name, one in given.items() if name in defaults and repr(one) != repr(defaults[name])}
    found: dict[str, Plain] = {"parameters": {shown(name): _plain(one) for name, one in changed.items()}}
    fitted = _last(value)
    names = getattr(value, "feature_names_in_", None)
    if isinstance(features := getattr(value, "n_features_in_", None), int):
        found["features"] = features
    if names is not None:
        found["names"] = [shown(name) for name in names[:_NAMES_MAX]]
    if (classes := getattr(fitted, "classes_", None)) is not None and np.ndim(classes) == 1:
        found["classes"] = [shown(one) for one in classes[:_NAMES_MAX]]
    if (coefficients := getattr(fitted, "coef_", None)) is not None:
        found["weights"] = int(np.size(coefficients)) + int(np.size(getattr(fitted, "intercept_", ())))
    return found


def visualize(value: Any) -> Iterator[Visualization]:
    """Importances of features, candidates of a search, scikit-learn's diagram, parameters; a confusion matrix."""
    if not isinstance(value, BaseEstimator):
        yield from confusion("confusion matrix", value.confusion_matrix, value.display_labels)
        return
    name = type(value).__name__
    yield from _importances(value)
    if isinstance(results := getattr(value, "cv_results_", None), Mapping):
        yield _candidates(name, results)
    yield Visualization("diagram", "text/html", page(name, sanitized(_diagram(value)), _THEME))
    yield parameters(name, *_parameters(value))


def _importances(value: Any) -> Iterator[Visualization]:
    fitted = _last(value)
    for attribute in ("feature_importances_", "coef_"):
        found = getattr(fitted, attribute, None)
        if found is None or not (numbers := np.asarray(found.toarray() if hasattr(found, "toarray") else found)).size:
            continue
        title = f"{attribute.rstrip('_').replace('_', ' ').replace('coef', 'coefficients')} of {type(fitted).__name__}"
        if numbers.ndim > 1 and numbers.shape[0] > 1:
            title, numbers = f"mean size of {title}, over {len(numbers)} outputs", np.abs(numbers).mean(axis=0)
        flat = numbers.reshape(-1)
        yield importances(title, _feature_names(value, fitted), flat.astype(float))
        return


def _last(value: Any) -> Any:
    """What predicts in the end: the best of a search, the last step of a pipeline."""
    while True:
        if (best := getattr(value, "best_estimator_", None)) is not None:
            value = best
        elif isinstance(value, Pipeline) and value.steps and value.steps[-1][1] not in (None, "passthrough"):
            value = value.steps[-1][1]
        else:
            return value


def _feature_names(value: Any, fitted: Any) -> Sequence[str] | None:
    """Names of what the last estimator was fitted on, as far as they are known."""
    if (names := getattr(fitted, "feature_names_in_", None)) is not None:
        return [str(name) for name in names]
    value = getattr(value, "best_estimator_", value)
    if isinstance(value, Pipeline) and len(value.steps) > 1:
        try:
            return [str(name) for name in value[:-1].get_feature_names_out()]
        except (AttributeError, ValueError):  # a step that tells no names
            return None
    return None


def _candidates(name: str, results: Mapping[str, Any]) -> Visualization:
    """What a search has tried, the best first."""
    order = np.argsort(results.get("rank_test_score", range(len(results["params"]))), kind="stable")
    measures = [key for key in ("mean_test_score", "std_test_score", "mean_fit_time") if key in results]
    names = list(dict.fromkeys(key for one in results["params"] for key in one))
    rows: list[list[Cell]] = [
        [_measure(results["params"][at].get(key)) for key in names] + [float(results[key][at]) for key in measures]
        for at in order[:_CANDIDATES_MAX]
    ]
    caption = f"the best {len(rows)} of {len(order):,} candidates"
    return Visualization("candidates", "text/html", page(name, table([*names, *measures], rows, caption=caption)))


def _diagram(value: Any) -> str:
    """Scikit-learn's own, with ids that don't depend on what was drawn before."""
    numbers: dict[str, str] = {}
    markup = _LINKED.sub("", estimator_html_repr(value))
    return _ID.sub(lambda match: numbers.setdefault(match[0], f"sk-{match[1]}-id-{len(numbers) + 1}"), markup)


def _parameters(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """All parameters but those that are estimators, and what each is by default, as far as that is known."""
    deep = value.get_params(deep=True)
    plain = {name: one for name, one in deep.items() if not _is_composed(one)}
    defaults: dict[str, Any] = {}
    known: dict[int, Mapping[str, Any]] = {}
    for name in plain:
        owner, _, own = name.rpartition("__")
        of = deep.get(owner) if owner else value
        if isinstance(of, BaseEstimator):
            found = known.setdefault(id(of), _defaults(type(of)))
            if own in found:
                defaults[name] = found[own]
    return plain, defaults


def _defaults(kind: type) -> dict[str, Any]:
    taken: Iterable[inspect.Parameter] = inspect.signature(kind).parameters.values()
    return {one.name: one.default for one in taken if one.default is not inspect.Parameter.empty}


def _is_composed(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_is_composed(one) for one in value)
    return isinstance(value, BaseEstimator)


def _measure(value: Any) -> Cell:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else value_of(value)


def _plain(value: Any) -> Plain:
    is_number = isinstance(value, float) or (type(value) is int and abs(value) < 2**63)
    return value if value is None or isinstance(value, bool) or is_number else shown(value)
