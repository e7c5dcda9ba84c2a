"""What models and charts of the large libraries show of themselves, and say."""

from __future__ import annotations

import importlib
import json
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from lineal.materializers import REGISTRY, Visualization

pytestmark = pytest.mark.frameworks
X = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 3)), columns=["width", "height", "depth"])
Y = (X["height"] > 0).astype(int)


def shown(value: Any) -> dict[str, str]:
    found: list[Visualization] = list(REGISTRY.for_value(value).visualize(value))
    assert not any("<script" in str(one.content) for one in found if one.media_type != "application/json")
    return {one.name: str(one.content) for one in found}


def said(value: Any) -> dict[str, Any]:
    return dict(REGISTRY.for_value(value).metadata(value))


def texts(drawing: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")]


def network(torch: Any) -> Any:
    made = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2, bias=False))
    made[0].weight.requires_grad_(False)
    return made


def test_a_module_shows_its_layers_and_their_weights() -> None:
    torch = importlib.import_module("torch")
    found = shown(network(torch))
    assert list(found) == ["layers", "tensors"]
    assert "24 weights, 12 of them trainable" in found["layers"]
    assert "in_features=3, out_features=4" in found["layers"]
    assert "3 tensors, 24 values" in found["tensors"]
    assert found["tensors"].count("<svg") == 3
    assert said(network(torch)) == {"weights": 24, "trainable": 12, "layers": ["Linear", "ReLU", "Sequential"]}


def test_weights_that_are_tied_are_counted_once() -> None:
    torch = importlib.import_module("torch")
    model = torch.nn.ModuleList([torch.nn.Linear(5, 5, bias=False), torch.nn.Linear(5, 5, bias=False)])
    model[1].weight = model[0].weight
    assert said(model)["weights"] == 25


def test_a_state_dict_is_a_table_of_tensors_of_any_kind() -> None:
    torch = importlib.import_module("torch")
    state = {
        "empty": torch.empty(0),
        "one": torch.tensor(3),
        "complex": torch.zeros(3, dtype=torch.complex64),
        "broken": torch.full((4,), float("nan")),
        "flags": torch.zeros(4, dtype=torch.bool),
        "half": torch.randn(100).to(torch.bfloat16),
        "sparse": torch.eye(3).to_sparse(),
        "turned": torch.randn(300, 1000).t(),
        "infinite": torch.tensor([1.0, float("inf"), 2.0]),
        "elsewhere": torch.empty(3, device="meta"),
    }
    page = shown(state)["tensors"]
    assert "10 tensors" in page
    assert "no finite values" in page
    assert "1,000\u00a0×\u00a0300" in page
    assert "20,000 values evenly spread" in page


@pytest.mark.parametrize("booster", ["gbtree", "gblinear"])
def test_estimators_of_xgboost_show_what_counts(booster: str) -> None:
    xgboost = importlib.import_module("xgboost")
    model = xgboost.XGBClassifier(n_estimators=3, booster=booster)
    assert list(shown(model)) == ["parameters"]
    model.fit(X, Y, eval_set=[(X, Y)], verbose=False)
    found = shown(model)
    assert list(found) == ["importances", "scores logloss", "parameters"]
    assert texts(found["importances"])[1] == "height"
    assert "<b>n_estimators</b></td><td>3</td>" in found["parameters"]
    assert said(model)["names"] == ["width", "height", "depth"]
    several = xgboost.XGBClassifier(n_estimators=3, booster=booster).fit(X, np.arange(80) % 3)
    assert len(texts(shown(several)["importances"])) == 7


@pytest.mark.parametrize("booster", ["gbtree", "gblinear", "dart"])
def test_a_booster_of_xgboost_shows_what_counts(booster: str) -> None:
    xgboost = importlib.import_module("xgboost")
    found = shown(xgboost.train({"booster": booster, "objective": "binary:logistic"}, xgboost.DMatrix(X, Y), 3))
    assert texts(found["importances"])[1] == "height"
    assert booster in found["parameters"]


def test_models_of_lightgbm_show_what_counts() -> None:
    lightgbm = importlib.import_module("lightgbm")
    model = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, Y, eval_X=X, eval_y=Y)
    assert list(shown(model)) == ["importances", "scores binary_logloss", "parameters"]
    assert said(model)["features"] == 3
    booster = lightgbm.train({"verbose": -1, "objective": "binary"}, lightgbm.Dataset(X, Y), 3)
    assert texts(shown(booster)["importances"])[1] == "height"


def test_a_figure_of_plotly_shows_its_data() -> None:
    express = importlib.import_module("plotly.express")
    found = shown(express.scatter(X, x="width", y="height", title="<script>alert(1)</script>"))
    assert "the first 50 of 80 rows" in found["data"]
    assert json.loads(found["specification"])["data"][0]["type"] == "scatter"


def figure(*traces: dict[str, Any], **layout: Any) -> Any:
    return importlib.import_module("plotly.graph_objects").Figure({"data": list(traces), "layout": layout})


SVG = "{http://www.w3.org/2000/svg}"


def sketch(*traces: dict[str, Any], **layout: Any) -> Any:
    return ElementTree.fromstring(shown(figure(*traces, **layout))["sketch"])


def bars(drawing: Any) -> list[tuple[float, float]]:
    """Where bars begin and how tall they are, from the left."""
    found = [one for one in drawing.iter(f"{SVG}rect") if one.get("opacity") == "0.9"]
    return [(float(one.get("x")), float(one.get("height"))) for one in found]


def test_points_of_a_figure_of_plotly_are_where_they_belong() -> None:
    x, y = ["2030-01-01", "2030-01-02", "2030-01-04", None], [1.0, 10.0, 100.0, 5.0]
    drawing = sketch({"x": x, "y": y, "mode": "markers"}, yaxis={"type": "log"}, title="<b>&")
    dots = [(float(one.get("cx")), float(one.get("cy"))) for one in drawing.iter(f"{SVG}circle")]
    (first, second, third) = dots
    assert second[0] - first[0] == pytest.approx((third[0] - first[0]) / 3, abs=0.2)
    assert first[1] - second[1] == pytest.approx(second[1] - third[1], abs=0.2)
    assert first[1] > third[1]
    assert next(one.text for one in drawing.iter(f"{SVG}text")) == "<b>&"


def test_a_line_of_a_figure_of_plotly_is_broken_where_a_value_is_missing() -> None:
    drawing = sketch({"y": [1, 2, float("nan"), 3, 4], "mode": "lines", "line": {"color": "#123456"}})
    (path,) = drawing.iter(f"{SVG}path")
    assert path.get("d").count("M") == 2
    assert path.get("stroke") == "#123456"


def test_bars_of_a_figure_of_plotly_stand_beside_or_on_each_other() -> None:
    one = {"type": "bar", "x": ["a", "b"], "y": [1, 2], "name": "one"}
    other = {"type": "bar", "x": ["a", "b"], "y": [3, 4], "name": "other"}
    beside = bars(sketch(one, other))
    assert len({x for x, _ in beside}) == 4
    assert beside[3][1] == pytest.approx(4 * beside[0][1], rel=0.01)
    stacked = bars(sketch(one, other, barmode="stack"))
    assert len({x for x, _ in stacked}) == 2


def test_a_histogram_of_plotly_counts_its_values() -> None:
    tall = [height for _, height in bars(sketch({"type": "histogram", "x": [1.0, 1.0, 1.0, 2.0]}))]
    assert tall[0] == pytest.approx(3 * tall[-1], rel=0.01)
    words = bars(sketch({"type": "histogram", "y": ["a", "b", "a"]}))
    assert len(words) == 2


def test_what_of_a_figure_of_plotly_is_not_drawn_is_said() -> None:
    solid = {"type": "scatter3d", "x": [1], "y": [1], "z": [1]}
    assert "no script runs here" in shown(figure(solid))["data"]
    texts_ = [one.text for one in sketch(solid, {"y": [1, 2]}).iter(f"{SVG}text")]
    assert "A sketch of the figure's data, without scatter3d" in texts_


@pytest.mark.parametrize(
    "trace",
    [
        {"type": "heatmap", "z": [[1, 2], [3, None]], "x": ["a", "b"]},
        {"type": "heatmap", "z": [[1.0]]},
        {"type": "box", "y": [1, 2, 3, 100, None], "name": "all"},
        {"type": "bar", "x": [3, -1], "y": ["a", "b"], "orientation": "h"},
        {"type": "scatter", "x": [1e308, -1e308], "y": [5, 5]},
        {"type": "scatter", "x": [float("inf")], "y": [float("nan")]},
        {"type": "histogram", "x": [float("nan"), None]},
        {"type": "scatter", "y": np.arange(10_000.0)},
        {"type": "scatter", "x": np.array(["2030-01-01", "NaT"], "M8[ns]"), "y": [1, 2]},
    ],
)
def test_odd_figures_of_plotly_are_drawn_without_a_warning(trace: dict[str, Any]) -> None:
    assert len(sketch(trace)) > 0


def test_a_pie_of_plotly_shows_its_shares() -> None:
    found = shown(figure({"type": "pie", "labels": ["a", "b"], "values": [1, 3]}))
    assert texts(found["shares"])[1] == "b"


def test_a_chart_of_altair_shows_its_data_and_fetches_none() -> None:
    altair = importlib.import_module("altair")
    chart = altair.Chart(X).mark_point().encode(x="width", y="height")
    found = shown(chart)
    assert "the first 50 of 80 rows" in found["data"]
    assert json.loads(found["specification"])["mark"]["type"] == "point"
    try:
        importlib.import_module("vl_convert")
    except ImportError:
        assert "chart" not in found
    else:
        assert {"width", "height"} <= set(texts(found["chart"]))
    elsewhere = altair.Chart("http://127.0.0.1:9/data.csv").mark_point().encode(x="a:Q")
    assert list(shown(elsewhere)) == ["specification"]


def pictures(value: Any) -> list[str]:
    return [one.name for one in REGISTRY.for_value(value).visualize(value)]


def test_a_tensor_shows_what_an_array_does_and_says_where_it_is() -> None:
    torch = importlib.import_module("torch")
    row = torch.tensor([1.0, 2.0, float("nan"), 5.0], requires_grad=True)
    assert pictures(row) == ["histogram", "in order", "values"]
    assert said(row) == {
        "shape": [4],
        "dtype": "torch.float32",
        "device": "cpu",
        "requires_grad": True,
        "not_finite": 1,
        "min": 1.0,
        "max": 5.0,
        "mean": pytest.approx(8 / 3),
    }
    assert pictures(torch.eye(3)) == ["heat map", "histogram", "values"]


@pytest.mark.parametrize(
    ("shape", "name"), [((3, 32, 40), "image"), ((1, 28, 28), "heat map"), ((6, 3, 32, 32), "images")]
)
def test_a_tensor_of_pictures_with_channels_first_is_shown_as_pictures(shape: tuple[int, ...], name: str) -> None:
    torch = importlib.import_module("torch")
    assert pictures(torch.rand(shape))[:2] == [name, "histogram"]


def test_a_tensor_of_a_kind_that_no_array_has_shows_its_values_and_one_without_values_nothing() -> None:
    torch = importlib.import_module("torch")
    assert said(torch.full((3,), 2.5).to(torch.bfloat16))["mean"] == 2.5
    assert said(torch.full((5_000_000, 1), 2.0).to(torch.float8_e5m2))["mean"] == 2.0
    assert said(torch.tensor([1 + 2j]).conj())["dtype"] == "torch.complex64"
    for nothing in (torch.empty(3, device="meta"), torch.eye(3).to_sparse(), torch.empty(0)):
        assert pictures(nothing) == []


def test_a_dataset_shows_its_rows_and_one_that_picks_some_those() -> None:
    datasets = importlib.import_module("datasets")
    whole = datasets.Dataset.from_dict({"x": list(range(100)), "word": ["a", "b"] * 50})
    found = shown(whole)
    assert list(found) == ["table", "columns"]
    assert "100 rows × 2 columns" in found["table"]
    some = whole.select([97, 5, 3])
    assert "3 rows × 2 columns" in shown(some)["table"]
    assert ">97<" in shown(some)["table"]
    assert said(some)["max"] == {"x": 97}
    assert said(whole.shuffle(seed=1))["mean"] == {"x": 49.5}


def test_datasets_by_split_show_each_of_them() -> None:
    datasets = importlib.import_module("datasets")
    splits = datasets.Dataset.from_dict({"x": [1, 2, 3, 4]}).train_test_split(0.25, shuffle=False)
    found = shown(splits)
    assert list(found) == ["table of train", "columns of train", "table of test", "columns of test"]
    assert "3 rows" in found["table of train"]
