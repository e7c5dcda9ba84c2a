"""Names and texts that would harm a terminal, a page or a program, through every verb that reads and every form."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from xml.etree import ElementTree

import pytest
from pseudo_terminal import harmful, on_terminal

import lineal
from lineal import Artifact, pipeline, step
from lineal.cli.parser import VERBS
from lineal.errors import StepFailed

HARM = "\x1b[2J\x9b31m\u202egpj\r\x07\n\x00<script>&\"'`|%\\"
NAME = f"{HARM}{'long ' * 400}"
FILE = HARM.replace("\x00", "")
"""No path has a NUL."""
EXEMPT = {"cancel", "check-proof", "completion", "doctor", "import", "init", "migrate", "plan", "rebuild", "repack"}
EXEMPT |= {"repair", "recompute", "reproduce", "rerun", "resume", "head", "verify", "distrust", "trust", "imports"}
"""Verbs that show no names of others here, or run code."""


@step
def give(text: str) -> Annotated[dict, Artifact("given")]:
    print(text)
    return {text: text}


@step
def refuse(given: dict, text: str) -> int:
    raise ValueError(text)


@pipeline
def harming(text: str) -> None:
    refuse(give(text), text)


@pytest.fixture(scope="module")
def harmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which everything is called so that it does harm, as a program that checks nothing can write it."""
    path = tmp_path_factory.mktemp("harmed") / "store"
    with lineal.open(path, visualize=False) as store, pytest.MonkeyPatch.context() as patched:
        for module in [one for name, one in sys.modules.items() if name.startswith("lineal.")]:
            for check in ("check_name", "check_alias", "_checked_key", "_checked_name", "check_metric"):
                if check in vars(module):
                    patched.setattr(module, check, lambda name, *_: name)
        with pytest.raises(StepFailed):
            harming.with_options(run_name=NAME)(HARM)
        for value in (HARM, f"{HARM}!", {HARM: [HARM]}):
            store.save(value, NAME)
        version = store.artifact("given@1")
        store.annotate(version, {HARM: HARM})
        store.rename(version.artifact, f"given {HARM}")
        store.tag(next(iter(store.runs())), HARM)
        store.log_metrics(next(iter(store.runs())), {HARM: 1.0})
        store.pin(f"{NAME}@1", HARM)
    return path


def reading(harmed: Path) -> dict[str, list[list[str]]]:
    """By verb, command lines that show what is called so."""
    with lineal.open(harmed, read_only=True) as store:
        run = str(next(iter(store.runs())).id)
        content = str(store.artifact(f"{NAME}@2").content)
    version, given = f"{NAME}@2", f"given {HARM}@1"
    return {
        "alias": [["alias", given, HARM]],
        "annotate": [["annotate", given, f"{HARM}={HARM}"]],
        "artifacts": [["artifacts"], ["artifacts", NAME]],
        "bisect": [["bisect", f"{HARM} < 1"]],
        "blame": [["blame", version]],
        "diff": [["diff", f"{NAME}@1", version], ["diff", run, run]],
        "du": [["du"]],
        "export": [["export", "--openlineage", "-", run], ["export", "--prov", "-", given], ["export", FILE, run]],
        "gc": [["gc", "--keep-last", "1", "--dry-run"]],
        "get": [["get", version, "-"], ["get", given, f"{FILE}/x"], ["get", given]],
        "info": [["info"]],
        "lineage": [["lineage", given, "--format", form] for form in ("tree", "dot", "mermaid", "svg", "json")],
        "log": [["log", "--limit", "100"]],
        "logs": [["logs", run]],
        "name": [["name", given, HARM]],
        "pin": [["pin", given, HARM]],
        "pins": [["pins"]],
        "prove": [["prove", given]],
        "put": [["put", FILE]],
        "rename": [["rename", run, HARM]],
        "replay": [["replay", run, "--instant"]],
        "rm": [["rm", run], ["rm", version]],
        "runs": [["runs"], ["runs", "--where", HARM]],
        "show": [["show", run], ["show", version], ["show", given], ["show", f"{run}/refuse"], ["show", HARM]],
        "steps": [["steps"]],
        "tag": [["tag", given, HARM]],
        "unalias": [["unalias", NAME, HARM]],
        "undo": [["undo", "1"]],
        "unpin": [["unpin", f"{HARM}x"]],
        "untag": [["untag", run, f"{HARM}x"]],
        "visualize": [["visualize", version, "--output", "page.html"]],
        "why": [["why", run], ["why", f"{run}/refuse"]],
        "why-kept": [["why-kept", content]],
    }


def test_nothing_harms_a_terminal_or_a_program_whatever_it_is_called(harmed: Path, command: Callable[..., Any]) -> None:
    lines = reading(harmed)
    assert set(lines) | EXEMPT == set(VERBS)
    for argv in (one for some in lines.values() for one in some):
        for options in ([], ["--json"]):
            ended = command(*argv, *options, "--store", str(harmed))
            assert "should not happen" not in ended.err, (argv, ended.err)
            is_value = argv[0] == "get" and argv[-1] == "-"
            assert is_value or harmful(ended.out + ended.err) == set(), argv
            if options and ended.code == 0 and argv[0] not in ("export", "get", "lineage"):
                assert all(json.loads(line)["kind"] for line in ended.out.splitlines()), argv


@pytest.mark.parametrize("verb", ["runs", "artifacts", "log", "steps", "pins"])
def test_nothing_harms_a_real_terminal(harmed: Path, verb: str) -> None:
    assert harmful(on_terminal(verb, store=harmed)) == set()


def test_pictures_and_pages_have_no_markup_of_others(harmed: Path, command: Callable[..., Any]) -> None:
    svg = command("lineage", f"given {HARM}@1", "--format", "svg", "--store", str(harmed)).out
    assert {one.tag.rpartition("}")[2] for one in ElementTree.fromstring(svg).iter()}.isdisjoint({"script"})
    page = Path("page.html")
    with lineal.open(harmed, read_only=True) as store:
        next(iter(store.runs())).visualize(page)
    assert not re.search(r"<script", page.read_text())
    dot = command("lineage", f"given {HARM}@1", "--format", "dot", "--store", str(harmed)).out
    assert all(line.count('"') % 2 == 0 for line in dot.replace('\\"', "").splitlines())
