"""What ``show`` takes a reference for, and what it says where nothing is called so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import lineal

Command = Callable[..., Any]


def shown(command: Command, *argv: str) -> str:
    """The first line: what kind of thing it is, and its name."""
    ended = command("show", *argv)
    assert (ended.code, ended.err) == (0, "")
    return " ".join(ended.out.splitlines()[0].split())


def test_each_kind_of_reference_is_understood(command: Command, trained: Any) -> None:
    with lineal.open(trained, read_only=True) as store:
        run, content = str(store.run("training-2").id), str(store.artifact("digits-model@1").content)
    assert shown(command, "training-2") == "run training-2"
    assert shown(command, run) == "run training-2"
    assert shown(command, run[:8]) == "run training-2"
    assert shown(command, run[:8].upper()) == "run training-2"
    assert shown(command, "training-2/train") == "step train"
    assert shown(command, f"{run[:8]}/train") == "step train"
    assert shown(command, "digits-model") == "artifact digits-model@2"
    assert shown(command, "digits-model@latest") == "artifact digits-model@2"
    assert shown(command, "digits-model@1") == "artifact digits-model@1"
    assert shown(command, f"digits-model@{content[:8]}") == "artifact digits-model@1"
    assert shown(command, "training") == "pipeline training"


def test_what_several_things_are_called_is_tried_in_the_documented_order(command: Command, copied: Any) -> None:
    with lineal.open(copied) as store:
        run = str(store.run("training-1").id)
        for name in ("training", "training-1", "training-1/train", run[:4]):
            store.save(1, name)
    at = ("--store", str(copied))
    assert shown(command, "training-1", *at) == "run training-1"
    assert shown(command, "training-1/train", *at) == "step train"
    assert shown(command, "training", *at) == "artifact training@1"
    assert shown(command, run[:4], *at) == f"artifact {run[:4]}@1"
    assert shown(command, run[:5], *at) == "run training-1"
    assert shown(command, "training-1", "--kind", "artifact", *at) == "artifact training-1@1"
    assert shown(command, "training", "--kind", "pipeline", *at) == "pipeline training"
    assert shown(command, run[:4], "--kind", "run", *at) == "run training-1"


@pytest.mark.parametrize(
    ("reference", "what", "hint"),
    [
        ("trainin", "nothing is called 'trainin'", "training"),
        ("training-9", "nothing is called 'training-9'", "training-1"),
        ("digit-model", "nothing is called 'digit-model'", "digits-model"),
        ("training-1/trian", "run training-1 has no step 'trian'", "Did you mean train?"),
        ("digits-model@7", "digits-model has no version 7", "Its versions are 1 to 2."),
        ("digits-model@x", "digits-model has no version with the alias or tag 'x'", "have numbers"),
        ("digit-model@1", "no artifact is called 'digit-model'", "digits-model"),
    ],
)
def test_a_miss_says_what_is_near(command: Command, reference: str, what: str, hint: str) -> None:
    ended = command("show", reference)
    assert (ended.code, ended.out) == (3, "")
    first, second = ended.err.splitlines()
    assert first.startswith(f"lineal: {what}")
    assert second.startswith("Hint: ")
    assert hint in second


def test_a_malformed_reference_is_an_error_that_says_how_to_write_it(command: Command) -> None:
    ended = command("show", "digits-model@")
    assert (ended.code, ended.out) == (1, "")
    assert "Hint: Write name" in ended.err


def test_what_has_no_lineage_says_so(command: Command) -> None:
    for reference in ("training", "training-1"):
        ended = command("lineage", reference)
        assert (ended.code, ended.out) == (1, "")
        assert f"{reference!r} names no artifact" in ended.err
    ended = command("lineage", "training-1/load")
    assert ended.code == 3
    assert "2 outputs" in ended.err


def test_what_is_asked_of_a_pipeline_or_run_that_is_not_there_is_not_found(command: Command) -> None:
    assert command("runs", "--pipeline", "trainin").code == 3
    assert command("log", "--run", "training-9").code == 3
    assert command("artifacts", "nope").code == 3
