"""Everything that some bytes went into: values, parts of values, code and environments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest

from lineal import Client, Directory, File, pipeline, step
from lineal.errors import InvalidReference, NotFound


@step
def load() -> Annotated[list, "raw"]:
    return [1, 2]


@step
def scale(raw: Any, factor: int = 2) -> Annotated[list, "scaled"]:
    return [factor, len(raw)]


@pipeline
def scaling(factor: int = 2) -> None:
    scale(load(), factor)


@step
def count(table: Any) -> Annotated[int, "count"]:
    return 7


@pipeline
def counting(reference: str) -> None:
    from lineal import artifact

    count(artifact(reference))


def names(lineage: Any) -> set[str]:
    return {node.name for node in lineage}


def test_a_file_that_is_an_artifact_or_in_one(client: Client, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_bytes(b"a,b\n1,2\n" * 50_000)
    client.save(File(data), "file")
    client.save({"nested": [File(data)], "other": 1}, "bundle")
    client.save("nothing of it", "other")
    counting("bundle")
    assert names(client.made_from(data)) == {"file", "bundle", "count"}
    assert {root.name for root in client.made_from(data).roots} == {"file", "bundle"}
    assert names(client.made_from(data, depth=0)) == {"file", "bundle"}


def test_a_large_part_of_a_value(client: Client) -> None:
    weights = np.arange(50_000.0)
    saved = client.save({"weights": weights, "bias": 1.0}, "model")
    alone = client.save(weights, "weights")
    part = next(iter(set(saved.blobs()) & set(alone.blobs())))
    counting("model")
    assert names(client.made_from(str(part)[:16])) == {"model", "weights", "count"}
    assert client.made_from(part).nodes == client.made_from(str(part)).nodes


def test_the_code_and_the_environment(client: Client) -> None:
    run = scaling()
    code = run.steps["scale"].code
    assert code is not None
    lineage = client.made_from(code)
    assert names(lineage) == {"scaled"}
    assert [one.step.step for one in lineage.steps.values()] == ["scale"]
    assert {one.code for one in lineage.steps.values()} == {code}
    environment = run.beginning.environment
    assert names(client.made_from(environment)) == {"raw", "scaled"}
    assert {one.environment for one in client.made_from(environment).steps.values()} == {environment}
    assert names(client.made_from(Path(__file__))) == {"raw", "scaled"}


def test_a_literal(client: Client) -> None:
    first = scaling(factor=5)
    scaling(factor=6)
    [literal] = [taken for taken in first.steps["scale"]._taken if taken.artifact is None]
    lineage = client.made_from(literal.content)
    assert [node.title for node in lineage] == ["scaled@1"]


def test_it_is_as_it_was(client: Client, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_bytes(b"a,b\n1,2\n" * 5)
    client.save(File(data), "file")
    then = client.head.seq
    counting("file")
    assert names(client.as_of(then).made_from(data)) == {"file"}
    assert names(client.made_from(data)) == {"file", "count"}


def test_a_small_file_in_a_directory_and_no_piece_of_another(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "small.txt").write_text("small")
    (folder / "large.txt").write_text("not so small " * 5)
    client.save(Directory(folder), "folder")
    client.save(File(folder / "large.txt"), "large")
    assert names(client.made_from(folder / "deep" / "small.txt")) == {"folder"}
    assert names(client.made_from(folder / "large.txt")) == {"folder", "large"}


def test_what_nothing_was_made_from_is_not_found(client: Client, tmp_path: Path) -> None:
    scaling()
    data = tmp_path / "data.csv"
    data.write_bytes(b"never saved")
    with pytest.raises(NotFound, match="nothing was made from"):
        client.made_from(data)
    with pytest.raises(NotFound):
        client.made_from("raw@9")
    with pytest.raises(InvalidReference):
        client.made_from("no digits")
