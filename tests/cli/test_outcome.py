"""How commands end: exit codes, stderr, interrupts, and readers that go away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lineal
from lineal import pipeline, step
from lineal.cli import main

Command = Callable[..., Any]


def spawn(*argv: str, store: Path, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "lineal", *argv]
    environment = {**os.environ, "LINEAL_STORE": str(store), "PYTHONUNBUFFERED": ""}
    return subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["nonsense"],
        ["runs", "--nonsense"],
        ["runs", "--limit", "-1"],
        ["runs", "--lim", "1"],
        ["runs", "--status", "odd"],
        ["show"],
        ["log", "--limit", "x"],
        ["verify", "--as-of", "1"],
        ["prove"],
        ["prove", "digits-model", "--extends", "3:00"],
        ["check-proof"],
        ["replay", "training-1", "--speed", "0"],
        ["replay", "training-1", "--speed", "2", "--instant"],
        ["gc", "--max-age", "3y"],
        ["gc", "--max-age", "-3d"],
        ["gc", "--max-age", ""],
        ["gc", "--max-size", "10"],
        ["gc", "--max-size", "1..5GB"],
        ["gc", "--max-size", "9999999TB"],
    ],
)
def test_a_usage_error_is_2_and_shows_the_usage(command: Command, argv: list[str]) -> None:
    ended = command(*argv)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("usage: lineal")


def test_no_store_is_3_and_none_is_made(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LINEAL_STORE")
    for argv in (["runs"], ["runs", "--store", "elsewhere"], ["rebuild"]):
        ended = command(*argv)
        assert (ended.code, ended.out) == (3, "")
        assert "there is no store here" in ended.err
        assert "Hint: " in ended.err
    assert list(tmp_path.iterdir()) == []


def test_the_store_is_found_upwards(command: Command, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINEAL_STORE")
    copied.rename(copied.parent / ".lineal")
    inner = copied.parent / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert command("runs", "--limit", "1").code == 0


def test_something_else_than_a_store_is_1(command: Command, tmp_path: Path) -> None:
    ended = command("runs", "--store", str(tmp_path))
    assert (ended.code, ended.out) == (1, "")
    assert "this is not a store" in ended.err


def test_an_event_that_is_not_there_yet_is_1(command: Command) -> None:
    ended = command("runs", "--as-of", "10000")
    assert (ended.code, ended.out) == (1, "")
    assert "there is no event 10000" in ended.err


def test_a_flipped_byte_is_5_and_names_the_blob_and_the_artifact(command: Command, copied: Path) -> None:
    files = [path for path in (copied / "blobs").rglob("*") if path.is_file()]
    blob = max(files, key=lambda path: path.stat().st_size)  # Not what shows it.
    data = bytearray(blob.read_bytes())
    data[1000] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(data)
    ended = command("verify", "--store", str(copied))
    assert ended.code == 5
    assert "1 damaged or gone" in ended.out
    damage = ended.out.splitlines()[-1]
    assert damage.startswith(f"blob {blob.name[:8]}")
    assert "raw@1" in damage
    assert command("verify").code == 0


def test_a_changed_log_is_5_for_every_verb(command: Command, copied: Path) -> None:
    log = copied / "log" / "data.mdb"
    data = log.read_bytes()
    assert b"run.completed/1" in data
    log.write_bytes(data.replace(b"run.completed/1", b"run.completed/2"))
    for argv in (["runs"], ["log"], ["show", "training-1"], ["verify"]):
        ended = command(*argv, "--store", str(copied))
        assert (ended.code, ended.out) == (5, "")
        assert "the log was changed at event" in ended.err


@step
def chatty() -> None:
    print("word " * 10_000)


@pipeline
def talking():
    chatty()


def test_a_missing_blob_is_5_where_a_verb_comes_upon_it(command: Command, copied: Path) -> None:
    before = set((copied / "blobs").rglob("*"))
    with lineal.open(copied):
        talking()
    (log,) = set((copied / "blobs").rglob("*")) - before
    assert command("show", "talking-1/chatty", "--store", str(copied)).out.count("word ") == 10_000
    log.unlink()
    ended = command("show", "talking-1/chatty", "--store", str(copied))
    assert (ended.code, ended.out) == (5, "")
    assert "is gone" in ended.err


def test_an_error_has_no_traceback_unless_debugging(command: Command) -> None:
    assert "Traceback" not in command("show", "nope").err
    ended = command("show", "nope", "--debug")
    assert ended.code == 3
    assert ended.err.startswith("Traceback (most recent call last):\n")
    assert ended.err.splitlines()[-2] == "lineal: nothing is called 'nope'"


def test_rebuild_replays_the_log(command: Command, copied: Path) -> None:
    before = command("runs", "--store", str(copied)).out
    ended = command("rebuild", "--store", str(copied))
    assert ended.code == 0
    assert "events" in ended.out
    assert command("runs", "--store", str(copied)).out == before


class Interrupted:
    """A stdout at which the user presses Ctrl-C."""

    def write(self, text: str) -> int:
        raise KeyboardInterrupt

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return False


def test_an_interrupt_is_130_without_a_word(trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys, "stdout", Interrupted())
    assert main(["runs", "--store", str(trained)]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("argv", [["log"], ["log", "--json"], ["show", "training-1"], ["--help"]])
def test_a_reader_that_goes_away_is_no_error(trained: Path, argv: list[str]) -> None:
    with spawn(*argv, store=trained, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert (process.stderr.read(), process.wait()) == ("", 0)


def test_the_first_line_of_a_long_log_comes_without_the_rest(copied: Path) -> None:
    with lineal.open(copied) as store:
        for number in range(3000):
            store.save(number, f"n{number}")
    shell = f"set -o pipefail; {sys.executable} -P -m lineal log --store {copied} | head -1"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["SEQ", "TIME", "TYPE", "WHAT"]


def can_mount() -> bool:
    probe = ["unshare", "--mount", "true"]
    return (
        shutil.which("unshare") is not None and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    )


def test_a_store_that_cannot_be_written_to_is_read(trained: Path, copied: Path) -> None:
    """As root, whom permissions don't stop, on a read-only mount."""
    if os.geteuid() != 0:
        for path in [copied, *copied.rglob("*")]:
            path.chmod(path.stat().st_mode & ~0o222)
        prefix = ""
    elif can_mount():
        prefix = f"mount --bind {copied} {copied} && mount -o remount,ro,bind {copied} && "
    else:
        pytest.skip("root, and no mount of its own: nothing is read-only here")
    shell = f"{prefix}{sys.executable} -P -m lineal runs --store {copied}"
    wrapped = ["unshare", "--mount", "sh", "-c", shell] if prefix else ["sh", "-c", shell]
    done = subprocess.run(wrapped, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 5


def test_options_may_stand_between_arguments(command: Command) -> None:
    between = command("get", "digits-model@1", "--as", "json", "model.json")
    assert (between.code, between.err) == (0, "")
    assert Path("model.json").read_text().startswith("{")


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (["lineag", "digits-model"], "Did you mean lineage?"),
        (["xyz"], "See `lineal --help`."),
        (["runs", "--limt", "3"], "Did you mean --limit?"),
        (["runs", "--limt=3"], "Did you mean --limit?"),
        (["runs", "training"], "See `lineal runs --help`."),
    ],
)
def test_a_misspelt_word_of_the_command_line_is_answered_with_what_is_near(
    command: Command, argv: list[str], hint: str
) -> None:
    ended = command(*argv)
    assert ended.code == 2
    assert ended.err.splitlines()[-1] == f"Hint: {hint}"


def test_control_characters_of_a_word_that_is_unknown_are_not_printed_raw(command: Command) -> None:
    for argv in (["ev\x1b[2Jil"], ["runs", "--ev\x1b[2Jil"]):
        assert "\x1b" not in command(*argv).err


def test_an_order_with_a_minus_is_no_option(command: Command) -> None:
    apart = command("runs", "--order", "-params.lr", "--limit", "2")
    assert (apart.code, apart.err) == (0, "")
    assert apart.out == command("runs", "--order=-params.lr", "--limit", "2").out
    assert apart.out != command("runs", "--order", "params.lr", "--limit", "2").out
    assert command("runs", "--order", "--limit", "2").code == 2
