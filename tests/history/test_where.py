"""Conditions and lists: which runs and versions meet them, and how what can't be read is refused."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lineal
from lineal import Client, pipeline, step
from lineal.errors import ArtifactNotFound, Invalid, InvalidCondition, InvalidReference
from lineal.history.where import Fields, condition


@step
def fit(lr: float, kind: str) -> Annotated[dict, "model"]:
    if lr < 0:
        raise ValueError("no")
    return {"lr": lr, "kind": kind}


@pipeline
def training(lr: float = 0.1, kind: str = "tree", options: dict | None = None) -> Any:
    return fit(lr, kind)


@pipeline
def other() -> Any:
    return fit(9.0, "other")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Five runs: training-1 to training-4, of which the last fails, and other-1."""
    path: Path = tmp_path_factory.mktemp("where") / "store"
    with lineal.open(path) as client:
        for number, (lr, accuracy) in enumerate([(0.1, 0.8), (0.2, 0.95), (0.3, math.nan)], start=1):
            run = training(lr=lr, kind="tree" if number < 3 else "forest", options={"deep": {"er": number}})
            client.log_metrics(run, {"accuracy": accuracy, "val/loss": 1 - accuracy})
        with pytest.raises(lineal.LinealError):
            training(lr=-1.0)
        other()
        client.tag("training-2", "best")
        client.annotate("training-3", {"team": "vision", "size": 7})
        client.annotate("model@2", {"note": "good"})
        yield client


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("params.lr > 0.1 and metrics.accuracy >= 0.9", [2]),
        ("params.lr > 0.1", [3, 2]),
        ("0.1 < params.lr <= 0.3", [3, 2]),
        ("params['kind'] == 'forest'", [3]),
        ("params.kind in ['tree', 'bush'] and status != 'failed'", [2, 1]),
        ("params.kind not in ('tree',)", [3]),
        ("metrics['val/loss'] < 0.1", [2]),
        ("metrics.accuracy is None", [4]),
        ("metrics.accuracy is not None", [3, 2, 1]),
        ("not metrics.accuracy > 0.9", [3, 1]),
        ("not (metrics.accuracy > 0.9 or params.lr < 0)", [3, 1]),
        ("'best' in tags", [2]),
        ("metadata.team.startswith('vis') and metadata.size * 2 == 14", [3]),
        ("params.options.deep.er == 2", [2]),
        ("params.nothing == 1", []),
        ("params.nothing != 1", []),
        ("params.kind > 3", []),
        ("name.endswith('-1')", [1]),
        ("status in {'failed', 'cancelled'}", [4]),
        ("started > '2020-01-01' and started < '2999-12-31T00:00:00+02:00'", [4, 3, 2, 1]),
        ("duration_s >= 0 and ended >= started and steps == 1 and version == 1", [4, 3, 2, 1]),
        ("params.lr / 0 > 1", []),
        ("-params.lr == 1", [4]),
    ],
)
def test_runs_that_meet_a_condition_are_found(trained: Client, where: str, numbers: list[int]) -> None:
    found = trained.runs("training", where=where)
    assert [run.name for run in found] == [f"training-{number}" for number in numbers]


def test_what_a_step_logged_is_asked_of_its_run_unless_the_run_has_it_itself(tmp_path: Path) -> None:
    @step
    def judge(rate: float) -> float:
        lineal.log_metric("accuracy", rate)
        lineal.log_metric("loss", 1 - rate)
        return rate

    @pipeline
    def judging(rate: float) -> None:
        judge(rate)

    with lineal.open(tmp_path / "store") as client:
        for rate in (0.5, 0.9, 0.9, 0.7):
            judging(rate)
        client.log_metrics("judging-4", {"loss": 0.05})
        assert client.run("judging-3").steps["judge"].is_cached

        def names(**asked: Any) -> list[str]:
            return [run.name for run in client.runs(**asked)]

        assert names(where="metrics.accuracy > 0.8") == ["judging-3", "judging-2"]
        assert names(where="metrics['judge/accuracy'] < 0.6") == ["judging-1"]
        assert names(where="metrics.loss < 0.2") == ["judging-4", "judging-3", "judging-2"]
        assert names(order="metrics.accuracy", limit=2) == ["judging-1", "judging-4"]
        assert names(where="metrics.nothing is None", limit=1) == ["judging-4"]


def test_lists_are_narrowed_by_all_that_is_asked(trained: Client) -> None:
    def names(**asked: Any) -> list[str]:
        return [run.name for run in trained.runs(**asked)]

    second, third = trained.run("training-2"), trained.run("training-3")
    assert names(tag="best") == ["training-2"]
    assert names(tag="best", status="failed") == []
    assert names(since=second) == ["other-1", "training-4", "training-3"]
    assert names(until=third, limit=2) == ["training-3", "training-2"]
    assert names(since=second, until=third) == ["training-3"]
    assert names(status="completed", since=second) == ["other-1", "training-3"]
    assert names(since=datetime.now(UTC)) == []
    assert names(pipeline="training", order="oldest") == [f"training-{number}" for number in (1, 2, 3, 4)]
    assert names(status="completed", order="oldest", offset=1, limit=2) == ["training-2", "training-3"]
    assert names(limit=2, offset=2) == ["training-3", "training-2"]


def test_runs_are_sorted_by_a_value_those_without_it_last(trained: Client) -> None:
    def names(order: str) -> list[str]:
        return [run.name for run in trained.runs("training", order=order)]

    assert names("-metrics.accuracy")[:2] == ["training-2", "training-1"]
    assert names("metrics.accuracy")[:2] == ["training-1", "training-2"]
    assert names("params.lr") == ["training-4", "training-1", "training-2", "training-3"]


def test_lists_are_as_they_were(trained: Client) -> None:
    past = trained.as_of(trained.run("training-2"))
    assert [run.name for run in past.runs(where="params.lr > 0")] == ["training-2", "training-1"]
    assert list(past.runs(where="metrics.accuracy > 0.9")) == []
    assert [str(one) for one in past.versions("model")] == ["model@2", "model@1"]


def test_versions_and_artifacts_are_found_by_what_is_known_of_them(trained: Client) -> None:
    assert [str(one) for one in trained.versions("model", where="metadata.note == 'good'")] == ["model@2"]
    assert [str(one) for one in trained.versions(where="version >= 3 and size_bytes > 0")] == ["model@4", "model@3"]
    assert [str(one) for one in trained.versions("model", until=trained.run("training-1"))] == ["model@1"]
    assert [one.name for one in trained.artifacts(like="mod*")] == ["model"]
    assert trained.artifacts(like="x*") == trained.artifacts(tag="none") == []
    with pytest.raises(ArtifactNotFound, match="Did you mean model"):
        trained.versions("modl")


@pytest.mark.parametrize(
    ("where", "place", "what", "hint"),
    [
        ("parms.lr > 1", 0, "there is no parms", "Did you mean params"),
        ("params.lr > 1 and statu == 'failed'", 18, "there is no statu", "Did you mean status"),
        ("status == 'complete'", 10, "status is never so", "Did you mean completed"),
        ("params.lr = 1", 10, "can't be read", "Write == to compare"),
        ("params.lr > 1 && params.lr < 2", 15, "can't be read", "Write and, or, not"),
        ("params > 1", 0, "params of what", "params.key"),
        ("params[0] > 1", 7, "a key is a text", "params['lr']"),
        ("name.upper() == 'X'", 0, "can't be called", "startswith"),
        ("__import__('os')", 0, "can't be called", "startswith"),
        ("[one for one in tags]", 0, "can't be asked", "Compare values"),
        ("(lambda: 1)() == 1", 0, "can't be called", "startswith"),
        ("2 ** 9 == 1", 0, "can't be asked", "Compare values"),
        ("status is 'failed'", 10, "only None", "Write =="),
        ("'ä' == 1 and nme == 2", 13, "there is no nme", "Did you mean name"),
        ("", 0, "can't be read", "Write as in"),
        ("params.lr >", 11, "can't be read", "Write as in"),
    ],
)
def test_what_cant_be_read_is_shown_with_a_caret(trained: Client, where: str, place: int, what: str, hint: str) -> None:
    with pytest.raises(InvalidCondition) as caught:
        trained.runs(where=where)
    lines = caught.value.what.splitlines()
    assert what in lines[0]
    assert lines[1] == f"  {where}"
    assert lines[2].index("^") - 2 == place
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    "where", ["(" * 300 + "1" + ")" * 300, "-" * 3000 + "1", "x" * 5000, "not " * 900 + "1", "a\0b"]
)
def test_what_is_too_much_to_be_read_is_refused(trained: Client, where: str) -> None:
    with pytest.raises(InvalidCondition):
        trained.runs(where=where)


def test_a_part_is_asked_for_by_counts(trained: Client) -> None:
    everything = list(trained.runs())
    assert list(trained.runs(offset=10**30)) == []
    assert list(trained.runs(limit=10**30)) == everything
    for bad in (-1, "1", 1.5):
        for ask in (trained.runs, trained.versions):
            with pytest.raises(Invalid, match="is no count"):
                ask(limit=bad)
        with pytest.raises(Invalid, match="is no count"):
            trained.runs(offset=bad)


def test_a_status_that_there_is_not_is_refused(trained: Client) -> None:
    with pytest.raises(InvalidReference, match="Did you mean completed"):
        trained.runs(status="complete")


_FIELDS: Fields[Any] = Fields(single={"a": lambda thing: thing.a, "b": lambda thing: thing.b}, keyed={})
_numbers = st.integers(-3, 3)


@st.composite
def conditions(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0 or draw(st.booleans()):
        operands = st.sampled_from(["a", "b", "a + b", "a - 1", "-b"]) | _numbers.map(str)
        return f"{draw(operands)} {draw(st.sampled_from(['<', '<=', '==', '!=', '>', '>=']))} {draw(operands)}"
    if draw(st.integers(0, 3)) == 0:
        return f"not ({draw(conditions(depth - 1))})"
    return f"({draw(conditions(depth - 1))}) {draw(st.sampled_from(['and', 'or']))} ({draw(conditions(depth - 1))})"


@given(conditions(), _numbers, _numbers)
def test_a_condition_of_what_is_there_means_what_it_means_in_python(text: str, a: int, b: int) -> None:
    assert condition(text, _FIELDS)(SimpleNamespace(a=a, b=b)) is eval(text, {"a": a, "b": b})


@given(conditions(), st.none() | _numbers, st.none() | _numbers)
def test_what_is_met_with_something_unknown_is_met_whatever_it_is(text: str, a: int | None, b: int | None) -> None:
    if condition(text, _FIELDS)(SimpleNamespace(a=a, b=b)):
        for guess in range(-9, 9):
            known = {"a": guess if a is None else a, "b": guess if b is None else b}
            assert eval(text, known)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with lineal.open(tmp_path_factory.mktemp("described") / "store") as client:
        client.save(pd.DataFrame({"city": ["Bonn", "Ulm"], "rain": [2.0, None]}), "frame")
        client.save(np.arange(12.0).reshape(3, 4), "array")
        client.save(b"x", "other")
        yield client


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("metadata.rows > 1", ["frame@1"]),
        ("metadata.nulls.rain > 0", ["frame@1"]),
        ("metadata['mean']['rain'] == 2", ["frame@1"]),
        ("metadata.dtypes.city.startswith('str') or metadata.dtypes.city == 'object'", ["frame@1"]),
        ("'rain' in metadata.columns", []),
        ("metadata.shape[0] == 3", ["array@1"]),
        ("metadata.shape[-1] == 4 and metadata.max > 2", ["array@1"]),
        ("metadata.shape[2] is None and metadata.dtype == 'float64'", ["array@1"]),
        ("metadata.rows[0] == 1", []),
    ],
)
def test_versions_are_found_by_what_their_materializers_said(described: Client, where: str, found: list[str]) -> None:
    assert [str(version) for version in described.versions(where=where)] == found
