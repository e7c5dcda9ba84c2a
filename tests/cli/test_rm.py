"""What ``rm``, ``undo`` and ``rename`` say and do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lineal

Command = Callable[..., Any]


@pytest.fixture
def on_copy(command: Command, copied: Path) -> Command:
    """Runs a command line on the copied store."""
    return lambda *argv: command(*argv, "--store", str(copied))


def lines_of(ended: Any) -> list[str]:
    assert (ended.code, ended.err) == (0, "")
    return [" ".join(line.split()) for line in ended.out.splitlines()]


def runs(command: Command) -> list[str]:
    return [json.loads(line)["name"] for line in command("runs", "--json").out.splitlines()]


def test_without_yes_it_only_says_what_would_go_and_what_depends_on_it(on_copy: Command) -> None:
    before = runs(on_copy)
    lines = lines_of(on_copy("rm", "training-1", "--outputs"))
    assert "would be deleted training-1" in lines
    assert "training-2/train reuses its results training-1" in lines
    assert "rows@1 run training-2 gave it, too" in " ".join(lines)
    assert lines[-1] == "Nothing was done. Add --yes to do it."
    assert runs(on_copy) == before


def test_with_yes_it_goes_and_undo_has_it_back(on_copy: Command) -> None:
    before = runs(on_copy)
    lines = lines_of(on_copy("rm", "training-1", "--yes"))
    *_, undo = lines
    assert lines_of(on_copy("log", "--limit", "1"))[-1].endswith("record.deleted run training-1")
    assert undo.startswith("Run `lineal undo ")
    assert runs(on_copy) == [name for name in before if name != "training-1"]
    gone = on_copy("show", "training-1")
    assert (gone.code, "lineal undo" in gone.err) == (3, True)
    assert on_copy("show", "training-1", "--as-of", "5").code == 0
    undone = lines_of(on_copy("undo", undo.split("`")[1].split()[-1]))
    assert undone[0].endswith("record.deleted/1")
    assert runs(on_copy) == before


def test_a_version_goes_and_the_next_collection_frees_it(on_copy: Command, copied: Path) -> None:
    lines = lines_of(on_copy("rm", "raw@1", "--yes"))
    freed = next(line for line in lines if line.startswith("freed "))
    assert freed == "freed 250.1 KiB by the next `lineal gc`"
    on_copy("gc", "--grace", "0s")
    assert [path for path in (copied / "blobs").rglob("*") if path.is_file()] == []
    ended = on_copy("show", "raw@1")
    assert (ended.code, ended.out) == (3, "")


def test_a_whole_artifact_goes(on_copy: Command) -> None:
    assert "deleted digits-model@2" in lines_of(on_copy("rm", "digits-model", "--yes"))[0]
    assert on_copy("rm", "digits-model", "--whole", "--yes").code == 1  # The first version is pinned.
    on_copy("unpin", "champion")
    assert "deleted digits-model@1" in lines_of(on_copy("rm", "digits-model", "--whole", "--yes"))[0]
    assert on_copy("artifacts", "digits-model").code == 3
    ended = on_copy("rm", "training-1", "--whole")
    assert (ended.code, "Hint: Leave it out." in ended.err) == (1, True)


def test_who_knows_it_whole_sees_that_it_was_deleted(on_copy: Command, copied: Path) -> None:
    with lineal.open(copied) as store:
        run, raw = str(store.run("training-1").id), str(store.artifact("raw").content)
    on_copy("rm", "training-1", "raw", "--yes", "--reason", "wrong")
    for reference in (run, f"raw@{raw}"):
        (line,) = [line for line in lines_of(on_copy("show", reference)) if line.startswith("deleted ")]
        assert line.endswith(": wrong; `lineal undo` has it back")
        assert json.loads(on_copy("show", reference, "--json").out)["deleted"]["reason"] == "wrong"


def test_what_is_not_there_is_not_found(on_copy: Command) -> None:
    assert on_copy("rm", "nothing", "--yes").code == 3
    ended = on_copy("undo", "100000")
    assert (ended.code, "Hint: The log has 1 to" in ended.err) == (1, True)


def test_a_run_and_an_artifact_are_renamed(on_copy: Command, copied: Path) -> None:
    assert lines_of(on_copy("rename", "training-1", "baseline"))[0] == "run training-1 → baseline"
    assert "baseline" in runs(on_copy)
    missed = on_copy("show", "training-1")
    assert (missed.code, "It is called baseline now" in missed.err) == (3, True)
    assert lines_of(on_copy("rename", "digits-model", "classifier"))[0] == "artifact digits-model → classifier"
    with lineal.open(copied) as store:
        assert [str(one) for one in store.versions("classifier")] == ["classifier@2", "classifier@1"]
