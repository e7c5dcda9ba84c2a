"""Boosted trees in their native form, charts, and datasets, where those libraries are: no part of what is locked."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lineal.cas import Manifest, MemoryBlobs
from lineal.errors import ManifestCorrupt
from lineal.materializers import REGISTRY, load, runs_code, save

pytestmark = pytest.mark.frameworks
RoundTrip = Callable[[Any], tuple[Any, Manifest]]
X = np.random.default_rng(0).normal(size=(80, 3))
Y = (X[:, 0] > 0).astype(int)


def installed(name: str) -> Any:
    return importlib.import_module(name)


def test_a_booster_of_xgboost_is_kept_in_its_own_form(round_trip: RoundTrip) -> None:
    xgboost = installed("xgboost")
    data = xgboost.DMatrix(X, Y, feature_names=["a", "b", "c"])
    booster = xgboost.train({"objective": "binary:logistic"}, data, 3)
    loaded, manifest = round_trip(booster)
    np.testing.assert_array_equal(loaded.predict(data), booster.predict(data))
    assert loaded.feature_names == ["a", "b", "c"]
    assert not runs_code(manifest, MemoryBlobs())
    assert save(booster, MemoryBlobs()).metadata == {"trees": 3, "features": 3, "names": ["a", "b", "c"]}


def test_estimators_of_xgboost_come_back_with_their_parameters(round_trip: RoundTrip) -> None:
    xgboost = installed("xgboost")
    for kind in (xgboost.XGBClassifier, xgboost.XGBRegressor):
        model = kind(n_estimators=3, max_depth=2)
        assert round_trip(model)[0].get_params() == pytest.approx(model.get_params(), nan_ok=True)
        model.fit(X, Y)
        loaded, manifest = round_trip(model)
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
        assert type(loaded) is kind
        assert not runs_code(manifest, MemoryBlobs())


def test_models_of_lightgbm_are_kept_in_their_own_form(round_trip: RoundTrip) -> None:
    lightgbm = installed("lightgbm")
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    booster = lightgbm.train({"verbose": -1, "objective": "binary"}, lightgbm.Dataset(frame, Y), 3)
    loaded, manifest = round_trip(booster)
    np.testing.assert_array_equal(loaded.predict(frame), booster.predict(frame))
    assert loaded.params == booster.params
    assert not runs_code(manifest, MemoryBlobs())
    model = lightgbm.LGBMRegressor(n_estimators=3, verbose=-1).fit(frame, Y)
    loaded, manifest = round_trip(model)
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    assert not runs_code(manifest, MemoryBlobs())
    for labels in (Y, np.where(Y > 0, "yes", "no")):
        classifier = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(frame, labels)
        loaded, manifest = round_trip(classifier)
        np.testing.assert_array_equal(loaded.predict(frame), classifier.predict(frame))
        np.testing.assert_array_equal(loaded._le.classes_, classifier._le.classes_)
        assert not runs_code(manifest, MemoryBlobs())


def test_a_classifier_of_lightgbm_whose_encoder_was_pickled_loads_for_ever() -> None:
    lightgbm = installed("lightgbm")
    classifier = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, Y)
    blobs = MemoryBlobs()
    then = REGISTRY.for_format("lightgbm.estimator/1")
    again: Any = load(save(classifier, blobs, materializer=then).manifest, blobs)
    assert again.predict(X).tolist() == classifier.predict(X).tolist()


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_model_that_is_cut_is_damage(cut: int) -> None:
    for library, objective in (("xgboost", "reg:squarederror"), ("lightgbm", "regression")):
        module = installed(library)
        data = module.DMatrix(X, Y) if library == "xgboost" else module.Dataset(X, Y)
        booster = module.train({"objective": objective, "verbosity": 0}, data, 2)
        manifest = save(booster, MemoryBlobs()).manifest
        parts = tuple((name, part[:cut] if name == "model" else part) for name, part in manifest.parts)  # type: ignore[index]
        with pytest.raises(ManifestCorrupt):
            load(Manifest(manifest.format, manifest.type, manifest.head, parts), MemoryBlobs())


def test_a_figure_of_plotly_comes_back_with_its_arrays(round_trip: RoundTrip) -> None:
    graph_objects = installed("plotly.graph_objects")
    figure = graph_objects.Figure(graph_objects.Scatter(x=np.arange(5000.0), y=[1, 2]), layout={"title": "t"})
    loaded, manifest = round_trip(figure)
    assert loaded == figure
    assert [one.size_bytes for one in manifest.named()] == [40_000]
    assert not runs_code(manifest, MemoryBlobs())


def test_a_chart_of_altair_comes_back(round_trip: RoundTrip) -> None:
    altair = installed("altair")
    chart = altair.Chart(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})).mark_bar().encode(x="a", y="b")
    for one in (chart, chart + chart.mark_line(), chart | chart):
        loaded, manifest = round_trip(one)
        assert type(loaded) is type(one)
        assert loaded.to_dict() == one.to_dict()
        assert not runs_code(manifest, MemoryBlobs())


def test_a_dataset_of_hugging_face_comes_back(round_trip: RoundTrip) -> None:
    datasets = installed("datasets")
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["no", "yes"]),
            "v": [datasets.Value("int8")],
        }
    )
    rows = {"text": ["a", "b", "c"], "label": [0, 1, 1], "v": [[1], [], [2, 3]]}
    data = datasets.Dataset.from_dict(rows, features=features, split="train")
    for one in (data, data.select([2, 0]), data.filter(lambda row: row["label"] == 1)):
        loaded, manifest = round_trip(one)
        assert (loaded.to_dict(), loaded.features, loaded.split) == (one.to_dict(), one.features, one.split)
        assert not runs_code(manifest, MemoryBlobs())
    both = datasets.DatasetDict(train=data, test=data.select([1]))
    loaded, _ = round_trip(both)
    assert {name: one.to_dict() for name, one in loaded.items()} == {name: one.to_dict() for name, one in both.items()}


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "regression", "linear_tree": True},
        {"objective": "multiclass", "num_class": 3},
        {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"objective": "regression", "min_data_in_leaf": 1000},
        {"objective": "tweedie", "monotone_constraints": [1, 0, -1]},
    ],
    ids=lambda parameters: "-".join(map(str, parameters)),
)
def test_a_booster_of_lightgbm_of_any_sort_passes_for_what_it_is(
    round_trip: RoundTrip, parameters: dict[str, Any]
) -> None:
    lightgbm = installed("lightgbm")
    booster = lightgbm.train({"verbose": -1, "num_threads": 1, **parameters}, lightgbm.Dataset(X, Y), 4)
    assert np.array_equal(round_trip(booster)[0].predict(X), booster.predict(X))


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (r"left_child=-?\d+", "left_child=7"),
        (r"left_child=.*", "left_child=0"),
        (r"split_feature=\d", "split_feature=3"),
        (r"num_leaves=\d+", "num_leaves=99999"),
        (r"decision_type=\d", "decision_type=1"),
        (r"threshold=\S+", "threshold=x"),
        (r"leaf_value=\S+ ", "leaf_value="),
        (r"max_feature_idx=2", "max_feature_idx=9"),
        (r"num_class=1", "num_class=0"),
        (r"tree_sizes=\d", "tree_sizes=9"),
        (r"end of parameters", "end of"),
        (r"\[boosting: gbdt\]\n", "[boosting: gbdt\n"),
    ],
)
def test_a_model_of_lightgbm_that_would_end_the_process_is_refused(was: str, now: str) -> None:
    lightgbm = installed("lightgbm")
    booster = lightgbm.train({"verbose": -1, "objective": "binary", "min_data_in_leaf": 9}, lightgbm.Dataset(X, Y), 2)
    manifest = save(booster, MemoryBlobs()).manifest
    parts = dict(manifest.parts)
    text = bytes(parts["model"]).decode()  # type: ignore[arg-type]
    changed, count = re.subn(was, now, text, count=1)
    assert count == 1
    parts["model"] = changed.encode()
    with pytest.raises(ManifestCorrupt):
        load(manifest.replaced(parts=tuple(parts.items())), MemoryBlobs())
