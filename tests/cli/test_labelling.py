"""The verbs that label, and where labels are shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lineal

Command = Callable[..., Any]


@pytest.fixture
def on_copy(command: Command, copied: Path) -> Command:
    """The command, on a store that may be changed."""

    def run(*argv: str) -> Any:
        return command(*argv, "--store", str(copied))

    return run


def fields(text: str) -> dict[str, str]:
    """Labels and texts of a document."""
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in text.splitlines() if "  " in line)


def cells(text: str, column: str) -> dict[str, str]:
    """One column of a list, by its first."""
    lines = [re.split(r"\s{2,}", line) for line in text.splitlines()]
    place = lines[0].index(column)
    return {line[0]: line[place] for line in lines[1:]}


def test_each_verb_says_which_labels_there_are_then(on_copy: Command) -> None:
    assert fields(on_copy("tag", "digits-model@1", "b", "a").out) == {"version": "digits-model@1", "tags": "a, b"}
    assert fields(on_copy("untag", "digits-model@1", "b").out)["tags"] == "a"
    assert fields(on_copy("alias", "digits-model@1", "champion").out)["aliases"] == "champion"
    assert fields(on_copy("unalias", "digits-model", "champion").out) == {"artifact": "digits-model", "tags": "-"}
    assert fields(on_copy("tag", "training-1/train", "slow").out)["step"] == "training-1/train"
    assert fields(on_copy("tag", "raw", "--whole", "external").out)["artifact"] == "raw"
    assert fields(on_copy("name", "raw", "source").out)["version"] == "source@1"
    noted = on_copy("annotate", "training", "a=1", "b=x=y", 'c={"d": [null]}', "e=1 2", "f=")
    assert fields(noted.out) == {
        "pipeline": "training",
        "tags": "-",
        "a": "1",
        "b": "'x=y'",
        "c": "{'d': [None]}",
        "e": "'1 2'",
        "f": "''",
    }
    assert set(fields(on_copy("annotate", "training", "a=2", "--remove", "c", "--remove", "f").out)) == {
        "pipeline",
        "tags",
        "a",
        "b",
        "e",
    }


def test_lists_have_a_column_for_labels_once_there_are_any(on_copy: Command) -> None:
    for argv in (["runs"], ["artifacts"], ["artifacts", "digits-model"]):
        assert "LABELS" not in on_copy(*argv).out
    on_copy("tag", "training-1", "paper")
    on_copy("tag", "digits-model", "--whole", "golden")
    on_copy("tag", "digits-model@1", "candidate")
    on_copy("alias", "digits-model@1", "champion")
    assert cells(on_copy("runs", "--status", "completed").out, "LABELS") == {
        "training-3": "-",
        "training-2": "-",
        "training-1": "paper",
    }
    assert cells(on_copy("artifacts").out, "LABELS")["digits-model"] == "@champion, golden"
    assert cells(on_copy("artifacts", "digits-model").out, "LABELS") == {
        "digits-model@2": "-",
        "digits-model@1": "@champion, candidate",
    }


def test_what_is_shown_has_its_labels_and_metrics_and_the_past_has_those_of_then(
    on_copy: Command, copied: Path
) -> None:
    with lineal.open(copied) as store:
        before = str(store.head.seq)
        for value in (0.5, float("nan")):
            store.log_metrics("training-1", {"loss": value})
    on_copy("tag", "digits-model@1", "candidate")
    on_copy("annotate", "digits-model@1", "owner=me", "length=9")
    shown = fields(on_copy("show", "digits-model@candidate").out)
    assert (shown["labels"], shown["owner"], shown["length"]) == ("candidate", "'me'", "9")
    assert re.search(r"METRIC .*\nloss +nan +1 +2 ", on_copy("show", "training-1").out)
    past = on_copy("show", "digits-model@1", "--as-of", before).out
    assert "candidate" not in past
    assert "owner" not in past
    assert "METRIC" not in on_copy("show", "training-1", "--as-of", before).out
    assert on_copy("show", "digits-model@candidate", "--as-of", before).code == 3
    record = json.loads(on_copy("show", "training-1", "--json").out)
    assert {name: (one["value"], one["step"], one["points"]) for name, one in record["metrics"].items()} == {
        "loss": ("nan", 1, 2)
    }


def test_the_log_tells_what_was_labelled(on_copy: Command) -> None:
    on_copy("tag", "digits-model@1", "candidate")
    on_copy("alias", "digits-model@1", "champion")
    on_copy("annotate", "training-1/train", "note=slow")
    tagged, aliased, annotated = (
        line.split("  ")[-1].strip() for line in on_copy("log", "--limit", "3").out.splitlines()[1:]
    )
    assert tagged == "version digits-model@1 with candidate"
    assert aliased == "champion of digits-model on digits-model@1"
    assert annotated == "step training-1/train with note"


def test_a_policy_can_keep_what_is_labelled_and_why_kept_names_the_labels(on_copy: Command, copied: Path) -> None:
    with lineal.open(copied) as store:
        store.save(b"more", "raw")
    on_copy("tag", "raw@1", "paper")
    assert "a policy, if it keeps what is labelled paper" in on_copy("why-kept", "raw@1").out
    policy = ("gc", "--keep-last", "1", "--grace", "0s", "--keep-tagged", "paper")
    assert re.search(r"raw@1 .* tagged paper\n", on_copy(*policy, "--dry-run").out)
    assert "raw@1" not in on_copy(*policy).out
    on_copy("untag", "raw@1", "paper")
    assert "raw@1" in on_copy(*policy).out


def test_a_policy_keeps_what_is_aliased_unless_told_to_release_it(on_copy: Command, copied: Path) -> None:
    with lineal.open(copied) as store:
        store.save(b"more", "raw")
    on_copy("alias", "raw@1", "first")
    assert "alias raw@first" in on_copy("why-kept", "raw@1").out
    policy = ("gc", "--keep-last", "1", "--grace", "0s")
    assert re.search(r"raw@1 .* aliased first\n", on_copy(*policy, "--dry-run").out)
    assert "raw@1" not in on_copy(*policy).out
    assert "raw@1" in on_copy(*policy, "--release-aliased").out


@pytest.mark.parametrize(
    ("argv", "code", "what"),
    [
        (["tag", "nothing", "x"], 3, "nothing is called 'nothing'"),
        (["tag", "digits-model", "a@b"], 1, "can't name a tag"),
        (["tag", "training-1", "x", "--whole"], 1, "names no artifact"),
        (["untag", "digits-model", "x"], 3, "there is no tag 'x'"),
        (["alias", "digits-model", "latest"], 1, "can't be an alias"),
        (["unalias", "digits-model", "x"], 3, "there is no alias 'x'"),
        (["annotate", "digits-model", "x"], 2, "invalid annotation value"),
        (["annotate", "digits-model", "--remove", "x"], 3, "there is no annotation 'x'"),
        (["name", "digits-model", "a@b"], 1, "can't name an artifact"),
    ],
)
def test_what_can_not_be_labelled_so_is_an_error(on_copy: Command, argv: list[str], code: int, what: str) -> None:
    ended = on_copy(*argv)
    assert (ended.code, ended.out) == (code, "")
    assert what in ended.err
