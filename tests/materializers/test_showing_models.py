"""What models, metrics, graphs, images and exceptions show of themselves, and say."""

from __future__ import annotations

import io
from collections import Counter
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, classification_report
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lineal.materializers import REGISTRY
from lineal.materializers.sanitized import sanitized

RANDOM = np.random.default_rng(0)
HOSTILE = "<script>alert(1)</script>"
X = pd.DataFrame(RANDOM.normal(size=(60, 4)), columns=["width", "height", HOSTILE, "depth"])
Y = (X["height"] > 0).astype(int)


def shown(value: Any) -> dict[str, str]:
    """What a value shows, by name; pictures as a number of bytes."""
    found = list(REGISTRY.for_value(value).visualize(value))
    assert len({one.name for one in found}) == len(found)
    for one in found:
        if one.media_type == "image/svg+xml":
            ElementTree.fromstring(one.content)
    return {one.name: one.content if isinstance(one.content, str) else f"{len(one.content)} bytes" for one in found}


def texts(drawing: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")]


class Tags(HTMLParser):
    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.data: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[tag] += 1
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.data.append(data)


def assert_harmless(markup: str) -> None:
    tags = Tags(markup)
    assert not tags.found.keys() & {"script", "iframe", "object", "a", "button", "img", "link", "form"}
    assert not [name for name, _ in tags.attributes if name.startswith("on") or name in ("href", "src")]


def test_a_fitted_estimator_shows_what_counts_by_the_names_of_features() -> None:
    found = shown(make_pipeline(StandardScaler(), LogisticRegression(C=3)).fit(X, Y))
    assert list(found) == ["importances", "diagram", "parameters"]
    # The title, then names and values in turn, what counts most first.
    assert texts(found["importances"])[1] == "height"
    assert HOSTILE in texts(found["importances"])
    assert "<b>logisticregression__C</b></td><td>3</td><td>1.0</td>" in found["parameters"]
    for page in (found["diagram"], found["parameters"]):
        assert_harmless(page)
    assert "StandardScaler" in found["diagram"]


def test_coefficients_of_several_classes_are_one_bar_for_each_feature() -> None:
    model = LogisticRegression().fit(X.to_numpy(), np.arange(60) % 3)
    sizes = np.abs(model.coef_).mean(axis=0)
    assert texts(shown(model)["importances"])[1] == f"feature {int(np.argmax(sizes))}"


def test_a_diagram_does_not_depend_on_what_was_drawn_before() -> None:
    model = RandomForestClassifier(3)
    assert shown(model)["diagram"] == shown(model)["diagram"]


def test_an_estimator_that_is_not_fitted_shows_its_parameters() -> None:
    assert list(shown(LogisticRegression())) == ["diagram", "parameters"]


def test_a_search_shows_its_candidates_the_best_first() -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [1e-6, 1.0]}, cv=3).fit(X, Y)
    rows = Tags(shown(search)["candidates"]).data
    assert rows.index("1") < rows.index("1e-06")
    assert "importances" in shown(search)


def test_an_estimator_says_what_it_was_made_with_and_fitted_on() -> None:
    model = LogisticRegression(C=3).fit(X, Y)
    assert REGISTRY.for_value(model).metadata(model) == {
        "parameters": {"C": 3},
        "features": 4,
        "names": ["width", "height", HOSTILE, "depth"],
        "classes": ["0", "1"],
        "weights": 5,
    }


def test_rates_are_drawn_apart_from_counts() -> None:
    found = shown({"accuracy": 0.9, "samples": 60_000, "broken": float("nan"), "loss": np.float32(-0.5)})
    assert texts(found["metrics"])[1::2] == ["accuracy", "broken", "loss"]
    assert texts(found["larger metrics"]) == ["larger metrics", "samples", "60,000"]


@pytest.mark.parametrize("value", [{"a": True}, {"a": "x", "b": 1}, {1: 2.0}, {}, [1, 2], {"a": {"b": "c"}}])
def test_what_are_no_metrics_is_no_chart(value: Any) -> None:
    assert not shown(value).keys() & {"metrics", "curves", "report"}


def test_series_of_one_length_are_lines() -> None:
    found = shown({"loss": [3, 2, float("nan"), 1], "accuracy": np.array([0.1, 0.2, 0.3, 0.4])})
    assert {"loss", "accuracy"} <= set(texts(found["curves"]))
    assert "curves" not in shown({"loss": [1, 2], "accuracy": [1, 2, 3]})


def test_a_classification_report_is_a_table() -> None:
    report = classification_report([0, 1, 1, 0], [0, 1, 0, 0], output_dict=True, target_names=["cat", HOSTILE])
    page = shown(report)["report"]
    assert_harmless(page)
    assert {"cat", HOSTILE, "precision", "0.75"} <= set(Tags(page).data)


def test_a_matrix_is_one_of_confusion_where_it_is_called_so() -> None:
    found = shown({"test_confusion_matrix": np.array([[50, 1], [2, 40]]), "labels": ["cat", "dog"]})
    assert "90 of 93 right (96.8%)" in texts(found["test_confusion_matrix"])
    assert "cat" in texts(found["test_confusion_matrix"])
    assert shown({"counts": np.array([[50, 1], [2, 40]])}).keys() == {"tree"}


@pytest.mark.parametrize("matrix", [[[1, 2]], [[-1, 2], [3, 4]], [[0.5, 1], [2, 3]], "no", [], [[1, 2], [3]], 7])
def test_what_can_be_no_confusion_matrix_is_not_drawn(matrix: Any) -> None:
    assert shown({"confusion_matrix": matrix, "note": "x"}).keys() == {"tree"}


def test_a_display_of_scikit_learn_is_drawn_with_its_labels() -> None:
    found = shown(ConfusionMatrixDisplay(np.array([[5, 1], [0, 4]]), display_labels=["no", "yes"]))
    assert {"no", "yes", "9 of 10 right (90.0%)"} <= set(texts(found["confusion matrix"]))


def test_a_frame_is_a_confusion_matrix_where_its_axes_are_called_so() -> None:
    frame = pd.crosstab(pd.Series([0, 0, 1]), pd.Series([0, 1, 1]), rownames=["actual"], colnames=["predicted"])
    assert "2 of 3 right (66.7%)" in texts(shown(frame)["confusion matrix"])
    assert "confusion matrix" not in shown(frame.rename_axis(index="town"))
    assert "confusion matrix" not in shown(frame.rename(columns={1: 2}))
    assert "confusion matrix" not in shown(frame + 0.5)


def test_what_was_counted_is_drawn_the_most_frequent_first() -> None:
    assert texts(shown(Counter("abracadabra "))["counts"])[1:5] == ["a", "5", "b", "2"]
    assert "' '" in texts(shown(Counter(" "))["counts"])


def test_an_exception_shows_what_it_was_raised_from() -> None:
    def fail() -> None:
        try:
            int(HOSTILE)
        except ValueError as error:
            error.add_note("a note")
            raise RuntimeError("failed") from error

    with pytest.raises(RuntimeError) as caught:
        fail()
    page = shown(caught.value)["traceback"]
    assert_harmless(page)
    data = "".join(Tags(page).data)
    assert data.index("RuntimeError") < data.index("raised from") < data.index("ValueError")
    assert "in fail" in data
    assert "a note" in data


def test_a_graph_is_drawn_with_its_nodes_and_what_joins_them() -> None:
    graph = nx.DiGraph([("load", "<b>x</b>"), ("<b>x</b>", "report")])
    drawing = shown(graph)["graph"]
    assert {"load", "<b>x</b>", "report"} == set(texts(drawing))
    assert drawing.count('stroke-opacity="0.7"') == 2
    assert drawing == shown(graph)["graph"]


@pytest.mark.parametrize("graph", [nx.Graph([(1, 1)]), nx.MultiDiGraph([(1, 2), (1, 2), (2, 2)]), nx.empty_graph(3)])
def test_odd_graphs_are_drawn(graph: Any) -> None:
    assert len(texts(shown(graph)["graph"])) == len(graph)


def test_of_a_large_graph_the_nodes_with_the_most_edges_are_drawn() -> None:
    drawing = shown(nx.star_graph(1000))["graph"]
    assert "120 of 1,001 nodes" in drawing
    assert drawing.count("<circle") == 120
    assert drawing.count("stroke-opacity") == 119


MODES = ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "I;16"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(9, 7), (1300, 2)])
def test_an_image_of_any_mode_has_a_small_picture(mode: str, size: tuple[int, int]) -> None:
    pixel_bits = {"1": 1, "L": 8, "P": 8, "LA": 16, "PA": 16, "I;16": 16, "RGB": 24, "YCbCr": 24, "LAB": 24, "HSV": 24}
    row_bytes = (size[0] * pixel_bits.get(mode, 32) + 7) // 8
    data = bytes(range(63)) * (row_bytes * size[1] // 63 + 1)
    image = Image.frombytes(mode, size, data[: row_bytes * size[1]])
    (found,) = REGISTRY.for_value(image).visualize(image)
    assert isinstance(found.content, bytes)
    picture = Image.open(io.BytesIO(found.content))
    assert picture.format == "PNG"
    assert max(picture.size) <= 512
    assert found.name == ("image" if size[0] < 512 else "thumbnail")


def test_an_image_without_pixels_shows_nothing() -> None:
    assert shown(Image.new("L", (0, 5))) == {}


def test_measurements_are_shown_from_the_lowest_to_the_highest() -> None:
    image = Image.fromarray(np.array([[1e-3, 2e-3, np.nan]], dtype=np.float32))
    (found,) = REGISTRY.for_value(image).visualize(image)
    assert isinstance(found.content, bytes)
    assert list(Image.open(io.BytesIO(found.content)).tobytes()) == [0, 255, 0]


@pytest.mark.parametrize(
    "markup",
    [
        "<b onclick='x()'>t</b>",
        "<script>alert(1)</script>t",
        "<scr<script>x</script>ipt>alert(1)</script>t",
        "<a href='javascript:alert(1)'>t</a>",
        "<img src=x onerror=alert(1)>t",
        "<svg><script>alert(1)</script></svg>t",
        "<iframe src=x></iframe>t",
        "<style>@import 'x'; b{background:url(http://x)} i{background:u\\72l(x)}</style>t",
        "<b style='background:url(x)'>t</b>",
        "<style><!-- </style><script>alert(1)</script> --></style>t",
        "<meta http-equiv=refresh content='0;url=x'>t",
        "<template><script>x</script></template>t",
        "<p title='\"><script>x</script>'>t</p>",
    ],
)
def test_nothing_that_runs_or_is_fetched_is_left_of_a_page(markup: str) -> None:
    kept = sanitized(markup)
    assert_harmless(kept)
    assert "t" in "".join(Tags(kept).data)
    assert not any(word in kept for word in ("url(", "@import", "72l(", "refresh"))


def test_a_page_keeps_its_look_without_what_is_fetched() -> None:
    kept = sanitized(
        "<style>/* url(x) */ b{color:red;background:url(data:x)} i{margin:0}</style><b class='c'>t &lt;</b>"
    )
    assert "color:red" in kept
    assert "margin:0" in kept
    assert '<b class="c">t &lt;</b>' in kept


@settings(max_examples=examples(60))
@given(st.text(alphabet="<>/=\"' abscriptyleonx&;!-{}()\\:@"))
def test_whatever_a_page_is_made_of_it_is_harmless_after(markup: str) -> None:
    assert_harmless(sanitized(markup))
