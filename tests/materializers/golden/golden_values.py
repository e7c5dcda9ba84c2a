"""A value for each format, whose bytes are kept beside this file: they load for ever, and are what is written today.

`python tests/materializers/golden/golden_values.py`, with the package installed, writes the file of each value that has
none. It never writes one anew: where the bytes of a format change, the format takes a new version and a new value here.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import pathlib
import sys
import types
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any, NamedTuple

HERE = pathlib.Path(__file__).parent
SUFFIX = ".manifest"


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: Any = None


@dataclasses.dataclass
class Item:
    """A dataclass."""

    name: str
    tags: list[str] = dataclasses.field(default_factory=list)


class Colour(enum.Enum):
    """An enumeration."""

    RED = 1
    BLUE = "b"


class Refused(Exception):
    """An exception."""


class Own:
    """An object that only pickling knows."""

    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and other.x == self.x

    __hash__ = None  # type: ignore[assignment]


def plain() -> Any:
    """Values of built-in types."""
    return {
        "scalars": [None, True, -1, 2**70, 0.5, -0.0, 1j, "é\ud800", b"\0", bytearray(b"x"), range(1, 9, 2)],
        "containers": [(1, "a"), {2, 1, "b"}, frozenset({(3,)}), {1: 2, (1, 2): None}, slice(None, 3, "s")],
        "times": [
            datetime.date(2020, 1, 2),
            datetime.datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"), fold=1),
            datetime.time(1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2), "two")),
            datetime.timedelta(-1, 5),
        ],
        "others": [decimal.Decimal("1.50"), fractions.Fraction(1, 3), uuid.UUID(int=7), pathlib.PurePosixPath("a/b")],
    }


def text() -> Any:
    """A text that is a part of its own."""
    return "line\n" * 2000


def collection() -> Any:
    """What `collections` has."""
    ordered = collections.OrderedDict(b=1, a=2)
    return [ordered, collections.Counter("aab"), collections.defaultdict(list, x=[1]), collections.deque([1], 3)]


def records() -> Any:
    """Values that say which fields they have."""
    return [Point(1, Item("a", ["t"])), Colour.RED, Colour.BLUE, {Point(1): Item("b")}]


def exceptions() -> Any:
    """Exceptions."""
    error = Refused("no", 1)
    error.__cause__ = FileNotFoundError(2, "gone", "/x")
    error.add_note("look")
    return [error, KeyError("k")]


def stream() -> Any:
    """What a generator yields."""
    return (number for number in range(300))


def pickled() -> Any:
    """An object that is pickled, inside a container."""
    return [Own(3), 1]


def local() -> Any:
    """An object of a class that only a function knows."""

    class Local(dict[str, int]):
        limit = 3

    return Local(x=1)


def ndarray() -> Any:
    """Arrays of NumPy."""
    import numpy as np

    structured = np.zeros(2, [("a", "i1"), ("b", ">f8", (2,))])
    return {
        "matrix": np.arange(6.0).reshape(2, 3),
        "fortran": np.arange(6, dtype=">i4").reshape(2, 3).T,
        "scalar": np.array(3, "u1"),
        "structured": structured,
        "objects": np.array([1, "a", None], object),
        "times": np.array(["2020-01-01", "NaT"], "M8[D]"),
        "scalars": [np.float32(1.5), np.datetime64("2020"), np.str_("a"), np.bool_(True)],
        "masked": np.ma.MaskedArray([1, 2], [True, False], fill_value=9),
        "records": np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    }


def frame() -> Any:
    """A frame of pandas with columns of many kinds."""
    import pandas as pd

    made = pd.DataFrame(
        {
            "i": [1, 2],
            "o": [(1,), None],
            "c": pd.Categorical(["a", None], ordered=True),
            "z": pd.date_range("2020", periods=2, tz="UTC", unit="ns"),
            "I": pd.array([1, None], dtype="Int64"),
            "p": pd.period_range("2020", periods=2, freq="M"),
            "v": pd.arrays.IntervalArray.from_breaks([0, 1, 2]),
            "s": pd.arrays.SparseArray([0, 5]),
            "t": pd.array(["x", None], dtype=pd.StringDtype("python")),
        },
        index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None]),
    )
    made.attrs = {"unit": "m"}
    dressed = pd.arrays.NumpyExtensionArray(made["i"].to_numpy())
    moment = pd.Timestamp("2020-01-01").as_unit("ns")
    return {"frame": made, "series": made["i"], "index": made.index, "moment": moment, "dressed": dressed}


def arrow() -> Any:
    """Arrow."""
    import pyarrow as pa
    import pyarrow.dataset

    table = pa.table({"a": [1, None], "d": pa.array(["x", "y"]).dictionary_encode(), "l": [[1], None]})
    parts = [table, table.to_batches()[0], pa.array([True, None]), pa.chunked_array([[1.5], [None]])]
    return [*parts, pyarrow.dataset.dataset(table)]


def polars() -> Any:
    """Polars."""
    import polars as pl

    return [
        pl.DataFrame({"a": [1, None], "e": pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"]))}),
        pl.Series("s", ["x"]),
    ]


def sparse() -> Any:
    """SciPy's sparse arrays."""
    import scipy.sparse

    dense = [[0, 1.5, 0], [2, 0, 0]]
    kinds = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
    return [getattr(scipy.sparse, f"{kind}_array")(dense) for kind in kinds] + [scipy.sparse.csr_matrix(dense)]


def image() -> Any:
    """Images of Pillow."""
    from PIL import Image

    palette = Image.frombytes("P", (2, 2), bytes([0, 1, 2, 1]))
    palette.putpalette(bytes(range(9)))
    rgb = Image.frombytes("RGB", (2, 2), bytes(range(12)))
    rgb.info["dpi"] = (72, 72)
    return [rgb, palette, Image.frombytes("1", (9, 1), b"\x80\x80")]


def graph() -> Any:
    """Graphs of NetworkX."""
    import networkx as nx

    several = nx.MultiDiGraph([("a", "b", "k"), ("b", "a", "l")], name="g")
    return [nx.path_graph(3), several]


def xarray() -> Any:
    """Datasets of xarray."""
    import numpy as np
    import xarray as xr

    made = xr.Dataset({"v": ("x", np.arange(2.0), {"u": "m"})}, coords={"x": [1, 2], "b": 3}, attrs={"a": 1})
    return [made, made["v"]]


def tensors() -> Any:
    """Tensors of PyTorch, some of which share memory."""
    import torch

    base = torch.arange(4.0)
    return {"a": base, "b": base[1:], "c": torch.ones(2, dtype=torch.bfloat16), "p": torch.nn.Parameter(torch.ones(1))}


REPRODUCED: list[Callable[[], Any]] = [
    *(plain, text, collection, records, exceptions, stream, ndarray, frame, arrow, polars, sparse, image, graph, xarray)
]
"""Those whose bytes follow from the value alone."""
LOADED: list[Callable[[], Any]] = [pickled, local]
"""Those whose bytes also follow from the versions of what wrote them."""
NOT_LOCKED: list[Callable[[], Any]] = [tensors]
"""Those of libraries that are no part of what is locked."""


def _rows() -> tuple[Any, Any]:
    import numpy as np

    x = np.arange(60.0).reshape(30, 2) % 7
    return x, np.where(x[:, 0] > x[:, 1], "more", "less")


def xgboost_models() -> Any:
    """A booster and an estimator of XGBoost, and what the first five rows are to them."""
    import xgboost

    x, y = _rows()
    model = xgboost.XGBClassifier(n_estimators=2, max_depth=2, n_jobs=1).fit(x, y == "more")
    booster = model.get_booster()
    scores = booster.inplace_predict(x[:5])
    return {"booster": booster, "model": model, "x": x[:5], "scores": scores, "predicted": model.predict(x[:5])}


def lightgbm_models() -> Any:
    """A booster and an estimator of LightGBM, and what the first five rows are to them."""
    import lightgbm

    x, y = _rows()
    model = lightgbm.LGBMClassifier(n_estimators=2, learning_rate=1, min_child_samples=2, n_jobs=1, verbose=-1).fit(
        x, y
    )
    booster = model.booster_
    scores = booster.predict(x[:5])
    return {"booster": booster, "model": model, "x": x[:5], "scores": scores, "predicted": model.predict(x[:5])}


def plotly_figure() -> Any:
    """A figure of Plotly, and its description."""
    import numpy as np
    import plotly.graph_objects as go

    figure = go.Figure([go.Bar(x=["a", "b"], y=np.array([1.0, 2.0])), go.Scatter(y=[3, 4])], {"template": None})
    return {"figure": figure, "kinds": ["bar", "scatter"], "y": [1.0, 2.0]}


def altair_chart() -> Any:
    """A chart of Altair, and its data."""
    import altair
    import pandas as pd

    frame = pd.DataFrame({"x": [1, 2], "y": ["a", "b"]})
    return {"chart": altair.Chart(frame).mark_bar().encode(x="x", y="y"), "data": frame.to_dict("records")}


def huggingface_datasets() -> Any:
    """Datasets of Hugging Face, and their rows."""
    import datasets

    rows = [{"text": "one", "label": 0}, {"text": "two", "label": 1}]
    features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["a", "b"]))
    dataset = datasets.Dataset.from_list(rows, features, split="train")
    return {"dataset": dataset, "splits": datasets.DatasetDict(train=dataset), "rows": rows}


def lightgbm_estimator_1() -> Any:
    """An estimator of LightGBM whose encoder of labels is pickled, as they were at first."""
    return lightgbm_models()["model"]


def matplotlib_figure() -> Any:
    """A small figure of matplotlib."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure((0.4, 0.3), dpi=50)
    figure.add_artist(Line2D([0.0, 0.5, 1.0], [0.25, 0.5, 1.0]))
    return figure


FOREIGN: list[Callable[[], Any]] = [xgboost_models, lightgbm_models, plotly_figure, altair_chart, huggingface_datasets]
"""Those whose bytes are up to libraries that are no part of what is locked."""


EARLIER: list[Callable[[], Any]] = [lightgbm_estimator_1]
"""Those of formats that nothing is written in any more; their files stay as they are."""
PICTURED: list[Callable[[], Any]] = [matplotlib_figure]
"""Those that are pickled, and have pictures beside that."""


def name_of(made: Callable[[], Any]) -> str:
    """The name of a value's file."""
    assert isinstance(made, types.FunctionType)
    return f"{made.__name__}{SUFFIX}"


def encoded(value: Any) -> bytes:
    """The manifest of a value, all of which rides in it."""
    from lineal.cas import MemoryBlobs
    from lineal.materializers import save

    manifest = save(value, MemoryBlobs()).manifest
    assert not [*manifest.named()], "make the value smaller: only its manifest is kept"
    return manifest.encoded


def main() -> None:
    """Write what has not been written."""
    # The names of classes are part of the bytes: not those that they have in a script.
    import golden_values

    for name in ("REPRODUCED", "LOADED", "NOT_LOCKED", "FOREIGN", "PICTURED"):
        for made in getattr(golden_values, name):
            file = HERE / name_of(made)
            if not file.exists():
                file.write_bytes(golden_values.encoded(made()))
                print(f"written: {file.name}", file=sys.stderr)


if __name__ == "__main__":
    main()
