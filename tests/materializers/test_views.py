"""What tables, arrays, texts, trees and directories show of themselves."""

from __future__ import annotations

import dataclasses
import io
import json
import struct
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import xarray as xr
from depth import examples
from hypothesis import given, settings
from hypothesis.extra import numpy as npst
from PIL import Image

from lineal import Directory, File
from lineal.cas import MemoryBlobs
from lineal.materializers import REGISTRY, load, save

HOSTILE = "<script>x</script>"
RANDOM = np.random.default_rng(0)


def shown(value: Any) -> dict[str, Any]:
    """What a value shows, by name."""
    found = list(REGISTRY.for_value(value).visualize(value))
    assert len({one.name for one in found}) == len(found)
    for one in found:
        if one.media_type == "image/svg+xml":
            ElementTree.fromstring(one.content)
        if one.media_type == "image/png":
            assert isinstance(one.content, bytes)
            Image.open(io.BytesIO(one.content)).load()
    return {one.name: one.content for one in found}


def metadata(value: Any) -> dict[str, Any]:
    return REGISTRY.for_value(value).metadata(value)


def picture(png: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(png)))


class Cells(HTMLParser):
    """The texts of a page's cells, row by row, and whether anything in it is a script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


FRAME = pd.DataFrame(
    {
        "n": range(100),
        "x": np.where(np.arange(100) % 4 == 0, np.nan, np.arange(100) / 2),
        HOSTILE: [HOSTILE, "b"] * 50,
        "when": pd.date_range("2024-01-01", periods=100, freq="D"),
    }
)


def tables() -> list[Any]:
    arrow = pa.Table.from_pandas(FRAME)
    return [FRAME, pl.from_pandas(FRAME), arrow, arrow.combine_chunks().to_batches()[0]]


@pytest.mark.parametrize("table", tables(), ids=lambda table: f"{type(table).__module__.split('.')[0]}")
def test_tables_of_each_library_show_the_same_ends_and_columns(table: Any) -> None:
    ends, columns = (Cells(shown(table)[name]) for name in ("table", "columns"))
    assert [row[:2] for row in ends.rows[1:]] == [
        *([str(n), str(n)] for n in range(10)),
        ["⋮", "⋮"],
        *([str(n), str(n)] for n in range(95, 100)),
    ]
    assert ends.rows[0][3] == HOSTILE
    assert [row[2] for row in ends.rows[1:4]] == ["null", "0.5", "1"]
    by_name = {row[0]: row for row in columns.rows}
    assert by_name["n"][2:6] == ["0", "0", "49.5", "99"]
    assert by_name["x"][2] == "25"
    assert by_name[HOSTILE][6] == f"2 different: {HOSTILE} × 50, b × 50"
    assert by_name["when"][3].startswith("2024-01-01")
    assert "script" not in ends.tags | columns.tags
    facts = metadata(table)
    assert (facts["nulls"], facts["min"], facts["max"]) == ({"x": 25}, {"n": 0, "x": 0.5}, {"n": 99, "x": 49.5})
    assert facts["memory_bytes"] > 0
    assert "sampled_rows" not in facts


def test_of_a_long_table_rows_evenly_spaced_are_looked_at_and_it_says_so() -> None:
    column = np.arange(1_000_000)
    for table in (pd.DataFrame({"n": column}), pl.DataFrame({"n": column}), pa.table({"n": column})):
        facts = metadata(table)
        assert facts["sampled_rows"] == 10_000
        assert abs(facts["mean"]["n"] - 500_000) < 10_000
        assert "by 10,000 of 1,000,000 rows" in shown(table)["columns"]


def test_a_wide_table_shows_its_first_columns_and_says_how_many_there_are() -> None:
    found = shown(pd.DataFrame(np.zeros((3, 1000))))
    assert "3 rows × 1,000 columns" in found["table"]
    assert Cells(found["table"]).rows[0][-1] == "…"
    assert "100 of 1,000 columns" in found["columns"]
    assert len(found["columns"]) < 300_000


ODD = [
    pd.DataFrame(),
    FRAME.head(0),
    FRAME.head(1),
    pd.DataFrame(index=range(3)),
    pd.DataFrame([[1, 2]], columns=["a", "a"]),
    pd.DataFrame({"a": [1, "x", None, [1], {2}]}),
    pd.DataFrame({"a": pd.Categorical(["x", None])}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
    pd.DataFrame({"a": pd.period_range("2024", periods=2, freq="M"), "b": pd.to_timedelta([1, None], "s")}),
    pd.DataFrame({"a": [np.inf, -np.inf], "b": [2**63, 1], "c": [1j, 2j], "d": [b"\xff", b""]}),
    pd.Series([1.5, None], name=HOSTILE),
    pl.Series("", [HOSTILE]),
    pl.DataFrame({"a": [[1], None], "b": [{"c": 1}, None], "d": [object(), None]}),
    pa.table({"a": pa.array([None, None]), "b": pa.array([1, 10**18], pa.timestamp("ns")), "c": [[1], [2]]}),
    pa.table({"a": pa.array([-(2**40)], pa.timestamp("s"))}),
    pa.array([1, 2, None]),
    pa.chunked_array([["a"], ["b"]]),
]


@pytest.mark.parametrize("table", ODD, ids=range(len(ODD)))
def test_odd_tables_show_themselves_too(table: Any) -> None:
    found = shown(table)
    assert "table" in found
    assert not {"script"} & Cells(found["table"]).tags
    assert save(table, MemoryBlobs()).metadata.get("metadata_problem") is None


ARRAYS = {
    "image": (RANDOM.integers(0, 255, (20, 30, 3)).astype(np.uint8), ["image", "histogram"]),
    "shares": (RANDOM.random((20, 30, 4)), ["image", "histogram"]),
    "grey": (RANDOM.integers(0, 255, (20, 30)).astype(np.uint8), ["image", "histogram"]),
    "digits": (RANDOM.random((30, 8, 8)) * 16, ["images", "histogram"]),
    "colour images": (RANDOM.random((5, 16, 16, 3)).astype(np.float32), ["images", "histogram"]),
    "matrix": (RANDOM.normal(size=(30, 40)), ["heat map", "histogram"]),
    "row": (np.arange(500), ["histogram", "in order"]),
    "short": (np.arange(5), ["histogram", "in order", "values"]),
    "scalar": (np.array(5), ["values"]),
    "nan": (np.full(5, np.nan), ["values"]),
    "texts": (np.array(["a", "b"]), ["values"]),
    "structured": (np.array([(1, 2.0)], "i4,f8"), ["table", "columns"]),
    "empty": (np.zeros((0, 3)), []),
    "bool": (np.arange(300) % 2 == 0, ["histogram", "in order"]),
    "dates": (np.array(["2024-01-01"], "M8[D]"), ["values"]),
    "masked": (np.ma.masked_greater(np.arange(9.0), 5), ["histogram"]),
    "sparse": (scipy.sparse.random(300, 20, 0.1, random_state=0, format="csr"), ["where values are", "histogram"]),
    "xarray": (xr.DataArray(RANDOM.normal(size=(20, 30))), ["heat map", "histogram", "structure"]),
    "dataset": (
        xr.Dataset({"a": ("x", [1, 2]), "b": 1}),
        ["structure", "histogram of a", "values of a", "values of b"],
    ),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_shows_what_suits_it(kind: str) -> None:
    value, names = ARRAYS[kind]
    assert list(shown(value)) == names


def test_an_image_is_the_array_pixel_by_pixel_where_it_is_large_enough() -> None:
    pixels = RANDOM.integers(0, 255, (300, 200, 3)).astype(np.uint8)
    assert np.array_equal(picture(shown(pixels)["image"]), pixels)


def test_a_heat_map_goes_from_dark_to_light_and_leaves_out_what_is_not_finite() -> None:
    matrix = np.arange(90_000.0).reshape(300, 300)
    matrix[0, 1], matrix[0, 2] = np.nan, np.inf
    found = picture(shown(matrix)["heat map"]).astype(int)
    assert found.shape == (300, 300, 4)
    assert found[0, :4, 3].tolist() == [255, 0, 0, 255]
    assert found[0, 0, :3].tolist() == [68, 1, 84]
    assert np.abs(found[-1, -1, :3] - [253, 231, 37]).max() <= 1


def test_statistics_are_of_what_is_finite_and_of_a_sample_where_there_is_much() -> None:
    assert metadata(np.array([1.0, np.nan, 3.0, np.inf])) == {
        "shape": [4],
        "dtype": "float64",
        "not_finite": 2,
        "min": 1.0,
        "max": 3.0,
        "mean": 2.0,
    }
    facts = metadata(np.arange(4_000_000).reshape(-1, 4))
    assert facts["sampled"] == 100_000
    assert abs(facts["mean"] - 2_000_000) < 1_000
    sides = np.tile([0.0, 100.0], 500_000).reshape(-1, 2)
    assert abs(metadata(sides)["mean"] - 50) < 1, "a sample goes along no axis in step"
    assert abs(metadata(sides[::3])["mean"] - 50) < 1


@settings(max_examples=examples(60))
@given(npst.arrays(npst.scalar_dtypes(), npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=20)))
def test_any_array_shows_and_describes_itself_without_a_warning(array: Any) -> None:
    shown(array)
    assert "metadata_problem" not in save(array, MemoryBlobs()).metadata


@dataclasses.dataclass
class Settings:
    rate: float
    layers: list[int]


class Pair(NamedTuple):
    one: int
    other: str


def tree(value: Any) -> Any:
    return json.loads(shown(value)["tree"])


def test_containers_and_records_are_trees_of_what_json_can_say() -> None:
    looped: list[Any] = []
    looped.append(looped)
    value = {
        "a": [1, 2.5, None, True, float("nan"), 2**70],
        ("k", 1): Settings(0.5, [1]),
        "pair": Pair(1, "x"),
        "array": np.zeros((3, 4)),
        "looped": looped,
        "bytes": b"\x00",
    }
    assert tree(value) == {
        "a": [1, 2.5, None, True, "nan", str(2**70)],
        "('k', 1)": {"rate": 0.5, "layers": [1]},
        "pair": {"one": 1, "other": "x"},
        "array": "<numpy.ndarray (3, 4)>",
        "looped": ["…"],
        "bytes": "b'\\x00'",
    }


def test_a_large_tree_says_how_much_is_left_out() -> None:
    found = tree({"rows": list(range(5000)), "more": list(range(9))})
    assert found["rows"][-1].startswith("… 4,0")
    assert len(shown([["x" * 10_000] * 100] * 100)["tree"]) < 600_000


def test_a_long_text_is_itself_and_markdown_where_it_looks_like_it() -> None:
    def kinds(text: str) -> list[str]:
        return [one.media_type for one in REGISTRY.for_value(text).visualize(text)]

    assert kinds("# Title\n\ntext " * 50) == ["text/markdown"]
    assert kinds("no # title " * 50) == ["text/plain"]
    assert shown("x" * 300_000)["text"].endswith("\n… and 250,000 more characters")
    assert shown(bytes(range(32)) * 100)["bytes"].splitlines()[-1] == "… and 2,688 more bytes"


def test_a_directory_is_a_tree_on_disk_as_in_a_store_and_a_file_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "d" / "b").mkdir(parents=True)
    (tmp_path / "d" / "a.txt").write_text("hello")
    (tmp_path / "d" / "b" / "c.bin").write_bytes(b"\0\1")
    (tmp_path / "d" / "link").symlink_to("a.txt")
    blobs = MemoryBlobs()
    saved = save(Directory(tmp_path / "d"), blobs)
    stored = load(saved.manifest, blobs)
    lines = "├── a.txt  (5 B)\n├── b/\n│   └── c.bin  (2 B)\n└── link → a.txt"
    assert shown(Directory(tmp_path / "d")) == shown(stored) == {"tree": lines}
    assert shown(stored["a.txt"]) == shown(File(tmp_path / "d" / "a.txt")) == {"text": "hello"}
    assert shown(stored["b/c.bin"])["bytes"].startswith("00000000  00 01")
    (tmp_path / "image").write_bytes(png := shown(ARRAYS["image"][0])["image"])
    assert shown(File(tmp_path / "image")) == {"image": png}
    (tmp_path / "cut").write_bytes("ü".encode() * 300_000)
    assert shown(File(tmp_path / "cut"))["text"].startswith("ü")


def test_a_png_of_ours_is_one(tmp_path: Path) -> None:
    png = shown(ARRAYS["matrix"][0])["heat map"]
    assert struct.unpack(">II", png[16:24]) == (240, 180)
