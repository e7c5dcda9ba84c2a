"""``get`` and ``put``: values as the files that other programs read, and files as versions of artifacts."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from PIL import Image
from pyarrow import parquet

import lineal

Command = Callable[..., Any]

ROWS = {"name": ["a", 'b"', "c\nd"], "n": [1, 2, 3]}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with a value of each kind."""
    path = tmp_path_factory.mktemp("shelf")
    (path / "folder" / "inner").mkdir(parents=True)
    (path / "folder" / "inner" / "script.sh").write_text("true\n")
    (path / "folder" / "inner" / "script.sh").chmod(0o755)
    figure = Figure((1, 1))  # Drawn in a moment: what takes long is not kept.
    figure.text(0.1, 0.5, "x")
    with lineal.open(path / "store") as store:
        for name, value in {
            "pandas": pd.DataFrame(ROWS),
            "polars": pl.DataFrame(ROWS),
            "arrow": pa.table(ROWS),
            "array": np.arange(6.0).reshape(2, 3),
            "pixels": np.zeros((2, 3, 3), dtype=np.uint8),
            "image": Image.new("RGB", (4, 2), (255, 0, 0)),
            "plain": {"b": [1, None], "a": "é"},
            "records": [{"x": 1}, {"x": 2, "y": "z"}],
            "text": "grüße\n",
            "bytes": b"\x00\xff",
            "figure": figure,
            "../up/.hidden": 1,
            "pickled": lambda: 1,
            "unwritable": {(1, 2): 3},
        }.items():
            store.save(value, name)
        store.save_path(path / "folder")
        store.save_path(path / "folder" / "inner" / "script.sh")
    return str(path / "store")


@pytest.mark.parametrize("name", ["pandas", "polars", "arrow"])
def test_a_table_is_written_as_parquet_csv_and_json(command: Command, shelf: str, name: str) -> None:
    for target in ("t.parquet", "t.csv", "t.json"):
        assert command("get", name, target, "--store", shelf).err == ""
    assert parquet.read_table("t.parquet").select(["name", "n"]).to_pydict() == ROWS
    with open("t.csv", newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["name", "n"], ["a", "1"], ['b"', "2"], ["c\nd", "3"]]
    assert [row["n"] for row in json.loads(Path("t.json").read_text())] == ROWS["n"]


def test_a_value_takes_its_natural_form_by_default(command: Command, shelf: str) -> None:
    expected = {
        "pandas": "pandas.parquet",
        "array": "array.npy",
        "image": "image.png",
        "plain": "plain.json",
        "text": "text.txt",
        "bytes": "bytes.bin",
    }
    for name, file in expected.items():
        record = json.loads(command("get", name, "--store", shelf, "--json").out)
        assert (record["path"], record["size_bytes"]) == (file, Path(file).stat().st_size)
    assert np.array_equal(np.load("array.npy"), np.arange(6.0).reshape(2, 3))
    with Image.open("image.png") as image:
        assert image.getpixel((3, 1)) == (255, 0, 0)
    assert json.loads(Path("plain.json").read_text()) == {"b": [1, None], "a": "é"}
    assert Path("text.txt").read_text() == "grüße\n"
    assert Path("bytes.bin").read_bytes() == b"\x00\xff"
    assert not [name for name in os.listdir() if name.startswith(".lineal-")]


def test_the_extension_or_as_chooses_the_form(command: Command, shelf: str) -> None:
    assert command("get", "array", "a.csv", "--store", shelf).code == 0
    assert Path("a.csv").read_text() == "0.0,1.0,2.0\n3.0,4.0,5.0\n"
    assert command("get", "array", "a.data", "--as", "json", "--store", shelf).code == 0
    assert json.loads(Path("a.data").read_text()) == [[0, 1, 2], [3, 4, 5]]
    assert command("get", "records", "r.csv", "--store", shelf).code == 0
    assert Path("r.csv").read_text() == "x,y\n1,\n2,z\n"
    assert command("get", "array", "a.xlsx", "--store", shelf).code == 1
    assert not os.path.exists("a.xlsx")
    assert command("get", "text", "a.md", "--store", shelf).code == 0
    assert Path("a.md").read_text() == "grüße\n"
    assert command("get", "pixels", "p.png", "--store", shelf).code == 0
    with Image.open("p.png") as pixels:
        assert pixels.size == (3, 2)


def test_what_runs_code_is_not_loaded_but_what_it_shows_is_written(command: Command, shelf: str) -> None:
    assert json.loads(command("get", "figure", "--store", shelf, "--json").out)["form"] == "svg"
    assert "<svg" in Path("figure.svg").read_text()
    assert command("get", "figure", "f.png", "--store", shelf).code == 0
    with Image.open("f.png") as image:
        assert image.format == "PNG"
    misnamed = command("get", "figure", "figure.pkl", "--store", shelf)
    assert (misnamed.code, os.path.exists("figure.pkl")) == (1, False)
    assert "figure@1 has no .pkl form" in misnamed.err
    refused = command("get", "pickled", "--store", shelf)
    assert (refused.code, os.path.exists("pickled.json")) == (1, False)
    assert "Traceback" not in refused.err
    assert "Hint: " in refused.err


def test_files_and_directories_come_back_as_they_were_put(command: Command, shelf: str) -> None:
    assert command("get", "folder", "--store", shelf).code == 0
    assert Path("folder/inner/script.sh").read_text() == "true\n"
    assert os.access("folder/inner/script.sh", os.X_OK)
    assert command("get", "script.sh", "again.sh", "--store", shelf).code == 0
    assert Path("again.sh").read_text() == "true\n"


def test_nothing_is_replaced_unless_forced(command: Command, shelf: str) -> None:
    Path("text.txt").write_text("mine")
    ended = command("get", "text", "--store", shelf)
    assert (ended.code, Path("text.txt").read_text()) == (1, "mine")
    assert command("get", "text", "--force", "--store", shelf).code == 0
    assert Path("text.txt").read_text() == "grüße\n"
    Path("folder").mkdir()
    Path("folder/mine").write_text("mine")
    assert command("get", "folder", "--force", "--store", shelf).code == 1
    assert os.listdir("folder") == ["mine"]


def test_a_name_cannot_lead_elsewhere(command: Command, shelf: str) -> None:
    path = Path(json.loads(command("get", "../up/.hidden", "--store", shelf, "--json").out)["path"])
    assert (path.parent, path.name.startswith(".")) == (Path(), False)
    assert json.loads(path.read_text()) == 1


def test_a_value_without_the_form_says_which_it_has(command: Command, shelf: str) -> None:
    ended = command("get", "text", "--as", "npy", "--store", shelf)
    assert ended.code == 1
    assert "There is txt, json: choose one with --as." in ended.err
    assert "has no JSON form" in command("get", "unwritable", "--store", shelf).err
    assert command("get", "nowhere", "--store", shelf).code == 3


def test_a_step_with_one_output_and_the_past_can_be_got(command: Command, copied: Path) -> None:
    assert command("get", "training-1/train", "w.json").code == 0
    assert json.loads(Path("w.json").read_text()) == {"weight": pytest.approx(0.15)}
    latest = json.loads(command("get", "digits-model", "l.json", "--as-of", "training-1", "--json").out)
    assert latest["artifact_version"] == "digits-model@1"


def test_what_is_put_twice_is_one_version(command: Command, copied: Path) -> None:
    Path("notes.txt").write_text("a note")
    first = json.loads(command("put", "notes.txt", "--tag", "draft", "--store", str(copied), "--json").out)
    again = json.loads(command("put", "notes.txt", "notes.txt", "--store", str(copied), "--json").out)
    assert (first["reference"], again["reference"], again["tags"]) == ("notes.txt@1", "notes.txt@1", ["draft"])
    Path("notes.txt").write_text("another note")
    assert "notes.txt@2" in command("put", "notes.txt", "--store", str(copied)).out
    ended = command("put", "nothing.txt", "--store", str(copied))
    assert (ended.code, "there is no file or directory" in ended.err) == (1, True)
