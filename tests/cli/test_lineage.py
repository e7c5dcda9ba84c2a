"""The verb lineage: both ways, between two, from a file; as tree, JSON, DOT, Mermaid and picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

Command = Callable[..., Any]


def test_the_tree_goes_both_ways(command: Command) -> None:
    lines = command("lineage", "rows", "--downstream").out.splitlines()
    assert lines[0].startswith("rows@1 ")
    assert any("by " in line for line in lines[1:])
    assert command("lineage", "rows", "--downstream", "--depth", "0").out.splitlines()[-1].startswith("… and more")


@pytest.mark.parametrize("way", [[], ["--downstream"]])
def test_json_has_artifacts_steps_and_links_that_fit_together(command: Command, way: list[str]) -> None:
    plain = json.loads(command("lineage", "rows", *way, "--format", "json").out)
    assert plain == json.loads(command("lineage", "rows", *way, "--json").out)
    steps = {step["id"] for step in plain["steps"]}
    versions = {(one["name"], one["content"]) for one in plain["artifacts"]}
    assert plain["direction"] == (way or ["--upstream"])[0].removeprefix("--")
    assert plain["links"]
    for link in plain["links"]:
        assert link["step"] in steps
        assert (link["artifact"]["name"], link["artifact"]["content"]) in versions
        assert {"input", "output"} & link.keys()


def test_it_is_drawn_for_others(command: Command) -> None:
    assert command("lineage", "rows", "--format", "dot").out.startswith("digraph {")
    assert command("lineage", "rows", "--format", "mermaid").out.startswith("flowchart LR")
    picture = ElementTree.fromstring(command("lineage", "rows", "--format", "svg").out)
    assert "rows@1" in [one.text for one in picture.iter("{http://www.w3.org/2000/svg}text")]


def test_the_way_between_two_is_shown_or_refused(command: Command) -> None:
    way = command("lineage", "rows", "--to", "digits-model@2", "--json")
    assert [one["name"] for one in json.loads(way.out)["artifacts"]] == ["rows", "digits-model"]
    back = command("lineage", "digits-model", "--to", "rows")
    assert (back.code != 0, "was not made of" in back.err) == (True, True)


def test_all_that_was_made_from_a_file_is_shown(command: Command, tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_bytes(Path(__file__).with_name("conftest.py").read_bytes())
    plain = json.loads(command("lineage", "--made-from", str(code), "--json").out)
    assert {one["name"] for one in plain["artifacts"]} == {"rows", "count", "digits-model", "ok"}
    assert plain["reference"] is None
    assert plain["roots"] == []
    code.write_text("nothing of this")
    assert "nothing was made from" in command("lineage", "--made-from", str(code)).err


def test_what_cant_be_asked_is_refused(command: Command) -> None:
    assert command("lineage").code != 0
    ended = command("lineage", "--made-from", "00000000")
    assert ended.code != 0
    assert "Traceback" not in ended.err
