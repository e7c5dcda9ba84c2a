"""The verbs that label: what they record, when it is durable, and what they refuse."""

from __future__ import annotations

import enum
import math
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest

import lineal
from lineal import Artifact, Client, pipeline, step
from lineal.errors import ArtifactNotFound, InvalidName, LabelNotFound, NotFound, StoreClosed, UnsavableValue


@step
def data(size: int) -> Annotated[np.ndarray, Artifact("data")]:
    return np.arange(size)


@step
def model(data: np.ndarray) -> Annotated[dict, Artifact("model")]:
    return {"sum": int(data.sum())}


@pipeline
def training(size: int = 100_000) -> None:
    model(data(size))


class Colour(str, enum.Enum):  # noqa: UP042 — whose text is not its value
    RED = "red"


def test_labels_are_durable_when_the_verb_returns(store_path: Path) -> None:
    script = (
        "import os, sys, lineal\n"
        "store = lineal.open(sys.argv[1])\n"
        "store.save(1, 'n')\n"
        "store.tag('n', 'good')\nstore.alias('n', 'best')\nstore.annotate('n', {'a': 1})\nstore.name('n', 'm')\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-P", "-c", script, str(store_path)], check=True)
    with lineal.open(store_path) as client:
        version = client.artifact("n@best")
        assert (version.tags, version.annotations, str(client.artifact("m"))) == (("good",), {"a": 1}, "m@1")


def test_what_changes_nothing_records_nothing(client: Client) -> None:
    client.save(1, "n")
    verbs: list[Callable[[], object]] = [
        lambda: client.tag("n", "good", "good"),
        lambda: client.alias("n", "best"),
        lambda: client.name("n", "m"),
    ]
    for verb in verbs:
        verb()
        before = client.head.seq
        verb()
        assert client.head.seq == before


def test_taking_away_what_is_not_there_is_refused_says_what_is_near_and_takes_nothing(client: Client) -> None:
    client.save(1, "n")
    client.tag("n", "good")
    client.annotate("n", {"owner": "me"})
    client.alias("n", "best")
    with pytest.raises(LabelNotFound, match=r"Did you mean good\?"):
        client.untag("n", "good", "goood")
    with pytest.raises(LabelNotFound, match=r"Did you mean owner\?"):
        client.annotate("n", {"new": 1}, remove=["owner", "owners"])
    with pytest.raises(LabelNotFound, match=r"Did you mean best\?"):
        client.unalias("n", "bst")
    with pytest.raises(ArtifactNotFound):
        client.unalias("m", "best")
    version = client.artifact("n@best")
    assert (version.tags, version.annotations) == (("good",), {"owner": "me"})


@pytest.mark.parametrize(
    "alias", ["3", "0", "-1", "+2", "1_000", " 3", "٣", "latest", "LATEST", "abcdef", "ABCDEF12", "a@b", "", "a\nb"]
)
def test_an_alias_that_would_mean_something_else_is_refused(client: Client, alias: str) -> None:
    client.save(1, "n")
    with pytest.raises(InvalidName):
        client.alias("n", alias)


@pytest.mark.parametrize("alias", ["v1.0", "1.0", "abcde", "champion", "prod/eu", "ünï"])
def test_any_other_word_can_be_an_alias(client: Client, alias: str) -> None:
    client.save(1, "n")
    client.save(2, "n")
    client.alias("n@1", alias)
    assert str(client.artifact(f"n@{alias}")) == "n@1"


def test_plain_values_come_back_as_plain_values(client: Client) -> None:
    client.save(1, "n")
    values: dict[str, Any] = {
        "none": None,
        "yes": True,
        "low": -(1 << 63),
        "high": (1 << 64) - 1,
        "inf": math.inf,
        "bytes": b"\x00\xff",
        "text": "\ud800ü",
        "nested": {"a": [1, {"b": []}]},
    }
    client.annotate("n", {**values, "nan": math.nan, "tuple": (1, (2,)), "f8": np.float64(0.5), "red": Colour.RED})
    found = client.artifact("n").annotations
    assert math.isnan(found.pop("nan"))
    assert found == {**values, "tuple": [1, [2]], "f8": 0.5, "red": "red"}
    assert {type(found[key]) for key in ("f8", "red", "yes")} == {float, str, bool}


def looped() -> list[Any]:
    """A list that holds itself."""
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"a": [1, np.int64(3)]}, r"bad\.a\[1\] is a numpy\.int64"),
        (datetime.now(UTC), r"bad is a datetime\.datetime"),
        ({1: 2}, r"bad has the key 1"),
        (1 << 64, r"bad is an integer of more than 64 bits"),
        ({1, 2}, r"bad is a builtins\.set"),
        (looped(), r"bad\[0\].* nested too deeply"),
        ("x" * 70_000, r"most of it 'bad'"),
    ],
)
def test_a_value_that_is_not_plain_is_refused_by_its_key_and_nothing_is_noted(
    client: Client, value: object, what: str
) -> None:
    client.save(1, "n")
    before = client.head.seq
    with pytest.raises(UnsavableValue, match=what):
        client.annotate("n", {"good": 1, "bad": value})
    assert client.head.seq == before


@pytest.mark.parametrize("name", ["", " ", "a\x1b", "k" * 201, 3])
def test_a_key_that_can_not_be_shown_is_refused(client: Client, name: Any) -> None:
    client.save(1, "n")
    with pytest.raises(InvalidName):
        client.annotate("n", {name: 1})


def test_setting_and_taking_away_is_one_commit(client: Client) -> None:
    client.save(1, "n")
    client.annotate("n", {"a": 1, "b": 2})
    client.annotate("n", {"c": 3, "a": 4}, remove=["a", "b"])
    assert client.artifact("n").annotations == {"a": 4, "c": 3}


def test_a_thing_that_is_not_there_can_not_be_labelled(client: Client) -> None:
    for of in ("nothing", "n@1", "run-1/step"):
        with pytest.raises(NotFound):
            client.tag(of, "x")
        with pytest.raises(NotFound):
            client.log_metrics(of, {"x": 1.0})


def test_a_view_of_another_store_means_what_is_called_so_here(client: Client, tmp_path: Path) -> None:
    client.save(1, "n")
    with lineal.open(tmp_path / "other") as other:
        here, only_there = other.save(1, "n"), other.save(2, "n")
        client.tag(here, "good")
        client.tag(here.artifact, "all")
        with pytest.raises(NotFound):
            client.tag(only_there, "bad")
        assert here.tags == ()
    assert client.artifact("n").tags == ("good",)
    assert client.artifact("n").artifact.tags == ("all",)


def test_nothing_is_labelled_through_a_handle_that_only_reads(store_path: Path) -> None:
    with lineal.open(store_path) as client:
        client.save(1, "n")
    with lineal.open(store_path, read_only=True) as client:
        for verb in (lambda: client.tag("n", "x"), lambda: client.log_metrics("n", {"x": 1.0})):
            with pytest.raises(StoreClosed):
                verb()


def test_another_name_stores_no_bytes_and_has_the_lineage_of_the_first(client: Client) -> None:
    training()
    client.flush()
    before = client.usage()
    named = client.name("model@1", "approved")
    again = client.name("approved", "released")
    assert client.usage().stored_bytes == before.stored_bytes
    assert (str(named), str(again), client.load("released")) == ("approved@1", "released@1", client.load("model"))
    for version in (named, again):
        producer = version.producer
        assert producer is not None
        assert (producer.run.name, producer.name) == ("training-1", "model")
        assert [(node.name, node.version) for node in version.lineage()][1:] == [("data", 1)]
    assert again.metadata == client.artifact("model").metadata


def test_another_name_holds_the_content_and_an_evicted_one_can_not_be_given(client: Client) -> None:
    training()
    client.name("data", "kept")
    client.release("data")
    client.name("model", "copy")
    client.release("model")
    client.collect(grace_s=0)
    for reference in ("data", "kept", "model", "copy"):
        with pytest.raises(NotFound, match="evicted"):
            client.name(reference, "late")
    assert str(client.recompute("copy")) == "copy@1"
    assert client.load("copy") == client.load("model")


def test_what_was_saved_by_hand_is_so_under_every_name(client: Client) -> None:
    client.save([1], "mine")
    named = client.name("mine", "yours")
    assert named.producer is None
    assert "saved by hand" in str(named.lineage())


def test_a_tag_that_was_taken_off_is_gone_and_was_there_until_then(client: Client) -> None:
    client.save(1, "n")
    client.tag("n@1", "good", "old")
    before = client.head.seq
    client.untag("n@1", "good")
    assert client.artifact("n@1").tags == ("old",)
    assert client.tagged("good") == []
    past = client.as_of(before)
    assert past.artifact("n@1").tags == ("good", "old")
    assert len(past.tagged("good")) == 1
