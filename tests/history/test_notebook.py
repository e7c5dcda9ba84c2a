"""A notebook that is really executed shows every noun richly, and what is asked to show itself shows in it."""

from __future__ import annotations

import importlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.frameworks

BEGIN = """
import numpy as np, pandas as pd
from typing import Annotated
import lineal
from lineal import pipeline, step

@step
def load(n: int) -> Annotated[pd.DataFrame, "table"]:
    return pd.DataFrame({"x": np.arange(n), "y": np.arange(n) ** 2.0})

@step
def score(table: pd.DataFrame) -> Annotated[dict, "scores"]:
    lineal.log_metric("loss", 0.25)
    return {"accuracy": float(len(table)), "loss": 0.25}

@pipeline
def scoring(n: int = 30):
    score(load(n))

store = lineal.open()
lineal.save(np.eye(20), "matrix")
run = scoring()
"""
SHOWN = {
    "run": ("scoring-1", "load", "score", "completed"),
    "run.steps['score']": ("score", "loss", "0.25"),
    "run.pipeline": ("scoring", "scoring-1"),
    "run.steps['load'].output": ("table@1", "30 rows", "dtypes", "<iframe"),
    "store.artifact('matrix')": ("matrix@1", "heat map", "data:image/png"),
    "store.artifact('matrix').artifact": ("matrix", "1"),
    "store.artifact('scores').lineage()": ("<svg", "table", "load"),
    "store.artifact('scores').visualizations": ("accuracy", "image/svg+xml"),
    "store.artifact('scores').visualizations['metrics']": ("image/svg+xml",),
    "store.diff(run, scoring(n=20))": ("n", "20"),
}
"""What the last line of a cell may be, and what of it is seen."""
ASKED = {
    "run.visualize()": ("scoring-1", "<svg"),
    "run.steps['load'].visualize()": ("table@1",),
    "store.artifact('matrix').visualize()": ("matrix@1", "histogram"),
}
"""What shows itself, whatever the cell ends with."""


class Active(HTMLParser):
    """What of a page could run or be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [tag] if tag in ("script", "object", "embed", "link") else []
        links = [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.found += [link for link in links if not link.startswith(("data:", "#"))]
        self.found += [name for name, _ in attrs if name.startswith("on")]


def html_of(cell: Any) -> str:
    data = [one["data"] for one in cell["outputs"] if one["output_type"] in ("execute_result", "display_data")]
    assert data, [one.get("text") for one in cell["outputs"]]
    assert all("text/plain" in one for one in data)
    return "".join(one.get("text/html") or one.get("image/svg+xml") or "" for one in data)


def test_a_notebook_shows_runs_steps_pipelines_artifacts_versions_and_lineage(tmp_path: Path) -> None:
    nbformat, nbclient = importlib.import_module("nbformat"), importlib.import_module("nbclient")
    v4 = nbformat.v4
    texts = [BEGIN, *SHOWN, *(f"{asked}; None" for asked in ASKED)]
    notebook = v4.new_notebook(cells=[v4.new_code_cell(text) for text in texts])
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for cell, (_, expected) in zip(notebook.cells[1:], [*SHOWN.items(), *ASKED.items()], strict=True):
        shown = html_of(cell)
        assert [one for one in expected if one not in shown] == [], cell["source"]
        assert Active(shown).found == [], cell["source"]
    (tmp_path / "notebook.ipynb").write_text(nbformat.writes(notebook))
