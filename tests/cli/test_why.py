"""What ``why`` says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lineal

Command = Callable[..., Any]
FLOW = """
    from lineal import pipeline, step

    @step
    def fit(x: int) -> int:
        return x + 1

    @pipeline
    def training(x: int = 1):
        fit(x)
"""


@pytest.fixture
def edited(project: Callable[[dict[str, str]], ModuleType], store_path: Path) -> Path:
    """A store with a run before and after an edit of its step."""
    with lineal.open(store_path):
        project({"flow.py": FLOW}).training()
        project({"flow.py": FLOW.replace("x + 1", "x + 2")}).training(5)
    return store_path


def lines_of(ended: Any) -> list[str]:
    assert (ended.code, ended.err) == (0, "")
    return [" ".join(line.split()) for line in ended.out.splitlines()]


def test_a_run_has_a_line_for_each_step(command: Command) -> None:
    assert lines_of(command("why", "training-2")) == [
        "STEP VERDICT WHY",
        "load hit reuses training-1/load",
        "train hit reuses training-1/train",
        "check hit reuses training-1/check",
    ]
    load, train, _ = lines_of(command("why", "training-3"))[1:]
    assert load == "load hit reuses training-1/load"
    assert train == "train miss parameter lr: 0.1 → 0.5"


def test_a_hit_is_explained(command: Command) -> None:
    lines = lines_of(command("why", "training-2/train"))
    assert lines[:2] == ["step training-2/train", "verdict hit"]
    assert lines[2].startswith("reuses training-1/train of 2")


def test_a_miss_is_explained_with_its_diff(command: Command, edited: Path) -> None:
    lines = lines_of(command("why", "training-2/fit", "--store", str(edited)))
    assert lines[:2] == ["step training-2/fit", "verdict miss"]
    assert lines[2].startswith("compared with training-1/fit of 2")
    assert "code: function flow:fit changed" in lines
    assert "parameter x: 1 → 5" in lines
    assert "def:flow:fit:" in lines
    assert "- return x + 1" in lines
    assert "+ return x + 2" in lines


def test_an_artifact_is_explained_by_the_step_that_made_it(command: Command) -> None:
    assert lines_of(command("why", "digits-model@2"))[0] == "step training-3/train"
    by_hand = command("why", "raw@1")
    assert (by_hand.code, by_hand.out) == (3, "")
    assert "no step has made 'raw@1'" in by_hand.err
    assert command("why", "training-1/nothing").code == 3


def test_json_has_all_of_it(command: Command, edited: Path) -> None:
    explained = json.loads(command("why", "training-2/fit", "--store", str(edited), "--json").out)
    assert (explained["kind"], explained["verdict"], explained["step"]) == ("explanation", "miss", "training-2/fit")
    assert [(cause["cause"], cause["what"]) for cause in explained["reasons"]] == [
        ("code", "def:flow:fit"),
        ("parameter", "x"),
    ]
    assert "+    return x + 2" in explained["reasons"][0]["diff"]
    assert explained["compared_with"]["reference"] == "training-1/fit"


def test_the_past_is_explained_as_it_was(command: Command, edited: Path) -> None:
    store = "--store", str(edited)
    assert lines_of(command("why", "training-1/fit", "--as-of", "training-1", *store))[-1] == "first run of flow.fit"
    assert command("why", "training-2/fit", "--as-of", "training-1", *store).code == 3
