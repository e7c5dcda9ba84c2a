"""Text of others can't do anything to a terminal, wherever it comes from and wherever it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.cli.escape import visible, visible_lines
from lineal.cli.layout import Block, Diff, Fields, Table
from lineal.cli.plain import PlainScreen

Command = Callable[..., Any]
texts = st.text(st.characters(), max_size=40)


def harmful(text: str) -> set[str]:
    """The characters that a terminal would obey; but for those that lay out lines."""
    return {one for one in text if not one.isprintable()} - {"\n", "\t"}


@given(texts)
def test_a_visible_text_has_nothing_that_does_not_print(text: str) -> None:
    assert visible(text).isprintable()
    assert harmful(visible_lines(text)) == set()


@given(texts)
def test_printable_text_stays_as_it_is(text: str) -> None:
    kept = "".join(one for one in text if one.isprintable())
    assert visible(kept) == kept
    assert visible_lines(f"{kept}\n\t{kept}\r\n") == f"{kept}\n\t{kept}\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines", r"two\nlines"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\ud800", r"\ud800"),
        ("naïve 日本", "naïve 日本"),
    ],
)
def test_an_escape_names_the_character(text: str, shown: str) -> None:
    assert visible(text) == shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts)
def test_whatever_is_put_on_a_screen_is_safe(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    screen = PlainScreen()
    for section in (Fields(text, [(text, text)]), Table(text, [text], [[text]]), Block(text, text), Diff(text, text)):
        screen.show(section)
    assert harmful(capsys.readouterr().out) == set()


VERBS = [
    ["runs"],
    ["show", "RUN"],
    ["show", "RUN/check"],
    ["show", "training"],
    ["show", "digits-model@2"],
    ["show", "ok"],
    ["log"],
    ["log", "--run", "RUN"],
    ["lineage", "digits-model@2"],
    ["why", "RUN"],
    ["why", "RUN/check"],
    ["why", "RUN/\x1b[2J"],
    ["runs", "--pipeline", "\x1b[2J"],
    ["show", "\x1b[2J"],
    ["show", "RUN/\x1b[2J"],
    ["show", "RUN/chekc", "--debug"],
    ["show", "\x1b[2J", "--debug"],
    ["runs", "--\x1b[2J"],
    ["\x1b[2J"],
]


@pytest.mark.parametrize("argv", VERBS)
def test_hostile_names_messages_and_logs_are_escaped(command: Command, argv: list[str]) -> None:
    (failed,) = command("runs", "--status", "failed", "--json").out.splitlines()
    run = json.loads(failed)["id"]
    argv = [word.replace("RUN", run) for word in argv]
    for words in (argv, [*argv, "--json"]):
        ended = command(*words)
        assert harmful(ended.out) == set()
        assert harmful(ended.err) == set()
    assert "\x1b[2J" in json.loads(failed)["name"]


def test_a_hostile_log_is_shown_escaped_and_given_exactly_in_json(command: Command) -> None:
    (failed,) = command("runs", "--status", "failed", "--json").out.splitlines()
    step = f"{json.loads(failed)['id']}/check"
    assert r"about to fail: \x1b[2J\x9b31m\u202egpj\r\x07" in command("show", step).out
    printed = json.loads(command("show", step, "--json").out)["log"]
    assert printed == "about to fail: \x1b[2J\x9b31m\u202egpj\r\x07\n"


def test_text_that_stdout_cannot_encode_comes_out_escaped(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import sys

    from lineal.cli import main

    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", ascii_only)
    assert main(["lineage", "digits-model@1"]) == 0
    assert rb"\u251c\u2500 rows" in ascii_only.buffer.getvalue()
