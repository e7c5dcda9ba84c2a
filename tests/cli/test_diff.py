"""What ``diff``, ``blame`` and ``bisect`` say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lineal

Command = Callable[..., Any]


def lines_of(ended: Any) -> list[str]:
    assert (ended.code, ended.err) == (0, "")
    return [" ".join(line.split()) for line in ended.out.splitlines()]


def test_two_runs_are_compared(command: Command) -> None:
    lines = lines_of(command("diff", "training-1", "training-3"))
    assert lines[0] == "training-1 → training-3"
    assert "parameter lr: 0.1 → 0.5" in lines
    assert "train.digits-model digits-model@1 digits-model@2" in lines
    assert lines_of(command("diff", "training-2"))[0] == "training-1 → training-2: the same"


def test_two_artifact_versions_are_compared(command: Command) -> None:
    lines = lines_of(command("diff", "digits-model"))
    assert lines[0] == "digits-model@1 → digits-model@2"
    assert any(line.startswith("['weight'] ") for line in lines)


def test_a_page_is_written(command: Command, tmp_path: Path) -> None:
    page = tmp_path / "diff.html"
    assert command("diff", "training-3", "training", "--html", str(page)).code == 0
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert ("<script" in html, "\x1b" in html, "\u202e" in html) == (False, False, False)


def test_nothing_of_others_gets_to_the_terminal_raw(command: Command) -> None:
    ended = command("diff", "training")
    assert ended.code == 0
    assert not {"\x1b", "\x9b", "\u202e", "\x07"} & set(ended.out)


def test_what_can_not_be_compared_is_refused_with_a_hint(command: Command) -> None:
    ended = command("diff", "training-1", "digits-model")
    assert (ended.code, ended.out) == (1, "")
    assert "Hint: Name two runs" in ended.err
    assert command("diff", "training-1").code == 3
    assert command("diff", "training-1", "nothing").code == 3


def test_a_version_is_blamed_on_the_parameter_that_changed(command: Command) -> None:
    lines = lines_of(command("blame", "digits-model@2"))
    assert lines[0] == "digits-model@1 → digits-model@2: parameter lr: 0.1 → 0.5"
    assert "digits-model@1 → digits-model@2 by training-3/train ← changed here" in lines
    assert command("blame", "digits-model@1").code == 3


def test_the_run_at_which_a_metric_turned_is_found(command: Command, copied: Path) -> None:
    with lineal.open(copied) as store:
        for number in (1, 2, 3):
            store.log_metrics(f"training-{number}", {"accuracy": 1 - number / 10})
    at = ("--store", str(copied))
    lines = lines_of(command("bisect", "accuracy < 0.75", "--pipeline", "training", *at))
    assert lines[0] == "accuracy < 0.75: first in training-3, after training-2 (0.8 → 0.7)"
    assert "parameter lr: 0.1 → 0.5" in lines
    assert command("bisect", "acuracy < 0.75", *at).code == 3
    ended = command("bisect", "accuracy", *at)
    assert (ended.code, "Hint: Write one such as" in ended.err) == (1, True)


def test_the_past_is_compared_as_it_was(command: Command) -> None:
    assert lines_of(command("diff", "training", "--as-of", "training-2"))[0] == "training-1 → training-2: the same"
