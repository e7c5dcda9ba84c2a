"""``init``, ``steps``, ``du``, ``doctor`` and ``completion``."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lineal
from lineal.cli.parser import VERBS

Command = Callable[..., Any]


def test_init_makes_a_store_once(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINEAL_STORE")
    first = json.loads(command("init", "analysis", "--json").out)
    again = json.loads(command("init", "analysis", "--json").out)
    assert (first["is_new"], again["is_new"], first["id"]) == (True, False, again["id"])
    assert Path("analysis/.lineal/FORMAT").exists()
    monkeypatch.chdir("analysis")
    assert command("runs").code == 0


def test_init_makes_the_store_where_it_is_said_to_be_else_where_the_environment_says_else_here(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def made(*argv: str) -> Path:
        record = json.loads(command("init", *argv, "--json").out)
        assert record["is_new"]
        return Path(record["path"]).relative_to(tmp_path)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINEAL_STORE", str(tmp_path / "shared"))
    assert made("project") == Path("project/.lineal")
    assert made("--store", "named") == Path("named")
    assert not Path("shared").exists()
    assert made() == Path("shared")
    assert command("runs").code == 0
    monkeypatch.setenv("LINEAL_STORE", "")
    assert made() == Path(".lineal")
    Path("below").mkdir()
    monkeypatch.chdir("below")
    monkeypatch.delenv("LINEAL_STORE")
    assert made() == Path("below/.lineal")


def test_init_refuses_a_place_that_holds_something_else(command: Command) -> None:
    Path("full").mkdir()
    Path("full/mine").write_text("mine")
    ended = command("init", "--store", "full")
    assert (ended.code, "Hint: " in ended.err, [one.name for one in Path("full").iterdir()]) == (1, True, ["mine"])


def test_steps_are_listed_by_run_status_and_name(command: Command) -> None:
    def listed(*argv: str) -> list[tuple[str, str]]:
        records = [json.loads(line) for line in command("steps", *argv, "--json").out.splitlines()]
        return [(record["run_name"], record["name"]) for record in records]

    assert listed("training-1") == [("training-1", "load"), ("training-1", "train"), ("training-1", "check")]
    assert {name for _, name in listed("--status", "failed")} == {"check"}
    assert listed("--step", "train", "--limit", "2")[1] == ("training-3", "train")
    assert listed("--as-of", "training-1") == listed("training-1")
    assert command("steps", "training-9").code == 3


def test_du_tells_what_is_shared_from_what_is_not(command: Command, tmp_path: Path) -> None:
    shared, alone = np.arange(50_000.0), np.arange(30_000.0) + 0.5
    with lineal.open(tmp_path / "store") as store:
        store.save([shared, alone], "both")
        store.save([shared], "one")
    lines = command("du", "--store", str(tmp_path / "store"), "--json").out.splitlines()
    both, one = map(json.loads, lines)
    assert (both["artifact"], one["artifact"]) == ("both", "one")
    assert shared.nbytes + alone.nbytes <= both["stored_bytes"] <= shared.nbytes + alone.nbytes + 4096
    assert alone.nbytes <= both["own_bytes"] <= alone.nbytes + 4096
    assert one["own_bytes"] < 4096 < shared.nbytes <= one["stored_bytes"]
    assert len(command("du", "one", "--store", str(tmp_path / "store"), "--json").out.splitlines()) == 1


def test_the_doctor_tells_health_from_damage(command: Command, copied: Path) -> None:
    ended = command("doctor", "--store", str(copied))
    assert (ended.code, ended.err) == (0, "")
    (blob,) = [path for path in (copied / "blobs").rglob("*") if path.is_file()]
    blob.unlink()
    ended = command("doctor", "--store", str(copied), "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["is_well"]) == (5, False)
    assert [check["name"] for check in found["checks"] if check["finding"] == "damage"] == ["content"]


def test_the_doctor_says_that_there_is_no_store(command: Command) -> None:
    ended = command("doctor", "--store", "nowhere", "--json")
    last = json.loads(ended.out)["checks"][-1]
    assert (ended.code, last["name"], last["finding"]) == (1, "store", "problem")
    assert last["hint"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_knows_every_verb_and_parses(command: Command, shell: str) -> None:
    script = command("completion", shell).out
    assert [verb for verb in VERBS if verb not in script] == []
    assert "as-of" in script
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_bash_completes_verbs_options_and_names(command: Command, tmp_path: Path) -> None:
    script = tmp_path / "completion.bash"
    script.write_text(command("completion", "bash").out)

    def completed(*words: str) -> set[str]:
        line = f"lineal() {{ printf 'digits-model\\ntraining-1\\n'; }}; source {script}"
        line += f"; COMP_WORDS=(lineal {' '.join(words)})"
        line += f'; COMP_CWORD={len(words)}; _lineal; printf "%s\\n" "${{COMPREPLY[@]}}"'
        return set(subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout.split())

    assert completed("art") == {"artifacts"}
    assert completed("show", "dig") == {"digits-model"}
    assert completed("runs", "--lim") == {"--limit"}


def test_names_are_those_that_a_shell_takes_as_words(command: Command) -> None:
    names = command("completion", "--names").out.splitlines()
    assert {"digits-model", "training", "training-1"} <= set(names)
    assert not [name for name in names if not name.isprintable() or " " in name]
    assert command("completion", "--names", "--store", "nowhere") == (0, "", "")
