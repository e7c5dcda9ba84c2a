"""Heads and proofs on the command line."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lineal

Command = Callable[..., Any]


def test_a_head_is_one_line_that_verify_takes_back(command: Command) -> None:
    ended = command("head")
    assert (ended.code, ended.err, ended.out.count("\n")) == (0, "", 1)
    old = command("head", "--as-of", "3").out
    Path("heads.txt").write_text(f"# kept for the audit\n\n{ended.out.strip()} after training-4\n")
    verified = command("verify", "--quick", "--head", old.strip(), "--head-file", "heads.txt")
    assert verified.code == 0
    seq = int(ended.out.partition(":")[0])
    lines = verified.out.splitlines()
    assert "head   the log goes on from the head of event 3" in lines
    assert f"head   the log goes on from the head of event {seq}" in lines


def test_a_head_that_the_log_does_not_lead_to_is_damage(command: Command) -> None:
    old = command("head", "--as-of", "3").out.strip()
    ended = command("verify", "--quick", "--head", f"4:{old[2:]}", "--head", old, "--head", f"9999{old[1:]}")
    assert ended.code == 5
    assert "the log was rewritten under the head of event 4, first at event 4" in ended.out
    assert "before the head of event 9,999" in ended.out
    assert "the log goes on from the head of event 3" in ended.out


@pytest.mark.parametrize("text", ["", "abc", "3:abc", "\x1b[2J"])
def test_what_is_no_head_is_an_error_that_says_how_one_is_written(command: Command, text: str) -> None:
    Path("heads.txt").write_text(text or "#\n3:\n")
    for argv in (
        ["verify", "--quick", f"--head={text}"],
        ["verify", "--quick", "--head-file", "heads.txt"],
        ["prove", "digits-model", f"--head={text}"],
        ["prove", f"--extends={text}"],
    ):
        ended = command(*argv)
        assert (ended.code, ended.out) == (1, "")
        assert "is not a head\nHint: Write it as `lineal head` does" in ended.err
    assert command("verify", "--head-file", "missing.txt").code == 1


def test_a_proof_is_checked_without_a_store_and_says_what_it_proves(
    command: Command, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = command("head").out.strip()
    Path("proof.json").write_text(command("prove", "digits-model@1").out)
    monkeypatch.setenv("LINEAL_STORE", "/nowhere")
    ended = command("check-proof", "proof.json", "--head", head)
    assert (ended.code, ended.err) == (0, "")
    with lineal.open(trained, read_only=True) as store:
        version = store.artifact("digits-model@1")
        producer = version.producer
        assert producer is not None
        lines = dict(line.split(maxsplit=1) for line in ended.out.splitlines())
        assert lines["proven"].startswith("digits-model was made")
        assert lines["content"] == str(version.content)
        assert (lines["run"], lines["step"]) == (str(producer.run.id), "train")
        assert lines["event"].split(",")[1] == " step.completed/1"
    assert "the one given" in ended.out
    assert "compare it with one that you have from elsewhere" in command("check-proof", "proof.json").out


def test_a_proof_is_read_from_stdin(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    proof = command("prove", "--extends", command("head", "--as-of", "3").out).out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(proof.encode())))
    ended = command("check-proof", "-")
    assert (ended.code, ended.err) == (0, "")
    assert "begins with all that was in it under the older head" in ended.out


def test_a_proof_that_does_not_hold_is_damage(command: Command) -> None:
    record = json.loads(command("prove", "raw").out)
    others = command("head", "--as-of", "3").out.strip()
    Path("proof.json").write_text(json.dumps(record | {"content": "00" * 32}))
    Path("garbage.json").write_text("[" * 100_000)
    for argv, what in (
        (["proof.json"], "the event does not make 'raw' with this content"),
        (["proof.json", "--head", others], "the proof is under another head than that of event 3"),
        (["garbage.json"], "the proof is not JSON"),
    ):
        ended = command("check-proof", *argv)
        assert (ended.code, ended.out) == (5, "")
        assert what in ended.err
    assert command("check-proof", "missing.json").code == 1
