"""The verb ``export``: standard forms, in files and in pipes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


def test_openlineage_events_are_written_one_a_line(command: Command) -> None:
    ended = command("export", "--openlineage", "events.jsonl", "training-1", "training-2")
    assert (ended.code, ended.err) == (0, "")
    events = [json.loads(line) for line in Path("events.jsonl").read_text().splitlines()]
    assert [event["eventType"] for event in events].count("START") == 8
    assert {event["job"]["name"] for event in events} == {
        "training",
        "training.load",
        "training.train",
        "training.check",
    }


@pytest.mark.parametrize("form", ["--openlineage", "--prov"])
def test_what_goes_to_stdout_is_what_goes_to_a_file_and_nothing_else(command: Command, form: str) -> None:
    command("export", form, "out.json", "training-1")
    ended = command("export", form, "-", "training-1")
    assert (ended.code, ended.out, ended.err) == (0, Path("out.json").read_text(), "")
    assert command("export", form, "-", "training-1").out == ended.out


@pytest.mark.parametrize("form", ["--openlineage", "--prov"])
def test_what_is_exported_is_as_of_then(command: Command, form: str) -> None:
    then = command("export", form, "-", "digits-model@1", "--as-of", "training-2")
    assert then.code == 0
    assert command("export", form, "-", "training-3", "--as-of", "training-2").code == 3


def test_a_file_that_is_there_is_kept(command: Command) -> None:
    Path("mine").write_text("keep")
    ended = command("export", "--openlineage", "mine", "training-1")
    assert (ended.code, Path("mine").read_text()) == (1, "keep")
    assert "Hint: Give another path." in ended.err


@pytest.mark.parametrize("form", ["--openlineage", "--prov"])
def test_hostile_names_and_messages_come_out_as_ascii(command: Command, trained: Path, form: str) -> None:
    runs = [json.loads(line)["id"] for line in command("runs", "--status", "failed", "--json").out.splitlines()]
    ended = command("export", form, "-", *runs)
    assert ended.code == 0
    assert {one for one in ended.out if not " " <= one <= "~"} == {"\n"}
