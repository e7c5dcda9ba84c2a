"""What a real terminal gets, and what it does not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from pseudo_terminal import COLOURS, on_terminal

import lineal

IMPATIENT = """
import sys
import lineal.cli, lineal.cli.progress
lineal.cli.progress.PATIENCE_S = 0
sys.exit(lineal.cli.main(sys.argv[1:]))
"""


def test_a_terminal_gets_a_table_with_statuses_in_colour(trained: Path) -> None:
    written = on_terminal("runs", store=trained)
    assert re.search(r"\x1b\[32mcompleted", written)
    assert re.search(r"\x1b\[1;31mfailed", written)
    header, *rows = [line.rstrip() for line in COLOURS.sub("", written).splitlines()]
    assert header.split() == ["run", "status", "pipeline", "started", "duration", "steps"]
    places = [header.index(name) for name in header.split()]
    assert all(rows[-1][place - 1] == " " != rows[-1][place] for place in places[1:])


def test_no_color_keeps_the_table_without_escapes(trained: Path) -> None:
    written = on_terminal("runs", store=trained, NO_COLOR="1")
    assert "\x1b" not in written
    assert written.splitlines()[0].split()[0] == "run"


def test_an_empty_no_color_means_nothing(trained: Path) -> None:
    assert "\x1b[" in on_terminal("runs", store=trained, NO_COLOR="")


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_simple_terminal_gets_plain_text(trained: Path, term: str) -> None:
    written = on_terminal("runs", store=trained, TERM=term)
    assert "\x1b" not in written
    assert written.splitlines()[0].split()[0] == "RUN"


def test_json_on_a_terminal_is_json(trained: Path) -> None:
    written = on_terminal("runs", "--json", "--limit", "1", store=trained)
    assert written.startswith('{"kind": "run", "v": 1, ')
    assert written.isascii()
    assert "\x1b" not in written


def test_a_table_fits_the_width(trained: Path) -> None:
    for columns in (80, 200):
        written = COLOURS.sub("", on_terminal("runs", store=trained, columns=columns))
        assert max(map(len, written.splitlines())) <= columns
        assert re.search(r"^training-3 +completed +training +\S{20} ", written, re.MULTILINE)


def test_a_table_that_can_not_fit_loses_nothing(trained: Path) -> None:
    written = COLOURS.sub("", on_terminal("runs", store=trained, columns=30))
    assert re.search(r"^training-2 +completed +training +\S{20} +\S+ s +3 cached *$", written, re.MULTILINE)


@pytest.mark.parametrize("verb", [["runs"], ["log"], ["show", "training"], ["artifacts"], ["info"], ["verify"]])
def test_what_a_terminal_gets_is_harmless(trained: Path, verb: list[str]) -> None:
    written = COLOURS.sub("", on_terminal(*verb, store=trained))
    assert {one for one in written if not one.isprintable()} <= {"\n"}


def test_one_thing_in_full_has_its_sections(trained: Path) -> None:
    lines = COLOURS.sub("", on_terminal("show", "training-1/load", store=trained)).splitlines()
    assert [" ".join(line.split()) for line in lines if line.strip() in ("parameters", "outputs", "printed")] == [
        "parameters",
        "outputs",
        "printed",
    ]
    assert "loading 4 rows" in lines


def test_a_diff_is_in_colour(project: Callable[[dict[str, str]], ModuleType], store_path: Path) -> None:
    flow = "from lineal import step, pipeline\n@step\ndef f() -> int:\n    return 1\n@pipeline\ndef p():\n    f()\n"
    with lineal.open(store_path):
        project({"flow.py": flow}).p()
        project({"flow.py": flow.replace("return 1", "return 2")}).p()
    written = on_terminal("why", "p-2/f", store=store_path)
    assert "\x1b[32m+    return 2\x1b[0m" in written
    assert "\x1b[31m-    return 1\x1b[0m" in written
    assert "\x1b" not in on_terminal("why", "p-2/f", store=store_path, NO_COLOR="1")


def test_names_in_brackets_are_not_markup(trained: Path, tmp_path: Path) -> None:
    import lineal

    with lineal.open(tmp_path / "odd") as store:
        store.save(1, "[red]name[/red] :smile:")
    assert "[red]name[/red] :smile:" in COLOURS.sub("", on_terminal("artifacts", store=tmp_path / "odd"))


def test_a_pipe_gets_no_escapes(trained: Path) -> None:
    for verb in ("runs", "artifacts", "log", "info"):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "lineal", verb, "--store", str(trained)],
            capture_output=True,
            env={**os.environ, "TERM": "xterm-256color", "FORCE_COLOR": "1"},
            check=True,
        )
        assert b"\x1b" not in done.stdout


def test_a_long_collection_shows_its_progress_and_leaves_only_its_result(copied: Path) -> None:
    with lineal.open(copied) as store:
        store.release("raw")
    written = on_terminal("gc", "--grace", "0s", store=copied, program=("-c", IMPATIENT))
    assert "collecting" in written
    last = COLOURS.sub("", written).splitlines()[-1]
    assert " ".join(last.split()) == "freed 250.1 KiB in 2 blobs and 1 file"
