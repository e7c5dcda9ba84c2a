"""What the command costs before it does anything: what it imports. And what it says about itself."""

from __future__ import annotations

import importlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lineal
from lineal import pipeline, step
from lineal.cli.parser import VERBS
from lineal.errors import StepFailed

Command = Callable[..., Any]
HEAVY = {"cloudpickle", "numpy", "pandas", "pyarrow", "rich", "sklearn"}
FLOWS = """
from lineal import pipeline, step

@step
def fit(lr: float) -> float:
    return lr

@pipeline
def training(lr: float = 0.1):
    fit(lr)
"""
IMPORTS = """
import sys
from lineal.cli import main
code = main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""


def imported(*argv: str, store: Path) -> set[str]:
    """The modules that are imported when the command is done."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", IMPORTS, *argv],
        capture_output=True,
        text=True,
        env={**os.environ, "LINEAL_STORE": str(store)},
        check=True,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "argv",
    [
        ["runs"],
        ["runs", "--json"],
        ["show", "training-1"],
        ["show", "training-1/train"],
        ["show", "digits-model"],
        ["artifacts"],
        ["lineage", "digits-model"],
        ["why", "training-3/train"],
        ["log"],
        ["info"],
        ["verify"],
        ["head"],
        ["prove", "digits-model"],
        ["gc", "--keep-last", "1", "--dry-run"],
        ["why-kept", "raw"],
        ["pins"],
    ],
)
def test_without_a_terminal_nothing_heavy_is_imported(trained: Path, argv: list[str]) -> None:
    modules = imported(*argv, store=trained)
    assert modules & HEAVY == set()
    assert "lineal.client" in modules
    assert "lineal.pipeline" not in modules


def test_only_the_chosen_verb_is_imported(trained: Path) -> None:
    verbs = {f"lineal.cli{module}" for _, module in VERBS.values()}
    assert imported("info", store=trained) & verbs == {"lineal.cli.info"}


@pytest.mark.parametrize("argv", [["--help"], ["--version"]])
def test_help_and_version_open_nothing(trained: Path, argv: list[str]) -> None:
    modules = imported(*argv, store=trained)
    assert modules & {"lmdb", "msgpack", "lineal.client", "lineal.store", *HEAVY} == set()


def test_the_version_is_that_of_the_package(command: Command) -> None:
    assert command("--version") == (0, f"lineal {lineal.__version__}\n", "")


def test_help_lists_the_verbs_and_exit_codes(command: Command) -> None:
    ended = command("--help")
    assert (ended.code, ended.err) == (0, "")
    assert all(f"\n    {verb}" in ended.out for verb in VERBS)
    assert all(f"\n  {code} " in ended.out for code in ("0", "1", "2", "3", "5", "130"))


@step
def pass_the_second_time() -> int:
    marker = Path("was here")
    if not marker.exists():
        marker.touch()
        raise OSError("not yet")
    return 1


@pipeline
def stumbling() -> None:
    pass_the_second_time()


@pytest.mark.parametrize("verb", VERBS)
def test_the_example_in_the_help_of_a_verb_runs(command: Command, copied: Path, verb: str) -> None:
    example = command(verb, "--help").out.splitlines()[-1].removeprefix("Example: ")
    assert example == importlib.import_module(f"lineal.cli.{verb.replace('-', '_')}").EXAMPLE
    program, *argv = shlex.split(example)
    Path("proof.json").write_text(command("prove", "digits-model@1").out)
    if verb == "bisect":
        with lineal.open(copied) as store:
            store.log_metrics("training-1", {"accuracy": 0.95})
    if verb == "undo":
        with lineal.open(copied) as store:
            while store.head.seq < 41:
                store.tag("training-1", f"tag-{store.head.seq}")
    if verb in ("untag", "unalias"):
        with lineal.open(copied) as store:
            store.tag("digits-model@1", "candidate")
            store.alias("digits-model@1", "champion")
    if verb in ("import", "imports", "trust", "distrust"):
        with lineal.open("other") as store:
            store.save(1, "one")
            store.export_bundle("training.bundle")
        if verb != "import":
            with lineal.open(copied) as store:
                store.import_bundle("training.bundle")
    Path("flows.py").write_text(FLOWS)
    Path("notes.txt").write_text("a note")
    if verb == "cancel":
        begun = start_long_run(copied, "training-6")
    if verb == "resume":
        with lineal.open(copied), pytest.raises(StepFailed):
            stumbling.with_options(run_name="training-5")()
    ended = command(*argv, "--store", str(copied))
    assert (program, argv[0], ended.code, ended.err) == ("lineal", verb, 0, "")
    assert ended.out != ""
    if verb == "cancel":
        assert begun.wait(30) == -signal.SIGINT
        assert "cancelled" in ended.out
        assert "not running: it is cancelled" in command(*argv, "--store", str(copied)).err


def start_long_run(store: Path, name: str) -> subprocess.Popen[str]:
    """Start a process with a run of this name that takes ten minutes."""
    program = Path("long.py")
    program.write_text(
        "import sys, time, lineal\n"
        "@lineal.step\n"
        "def long() -> None:\n    print('begun', flush=True)\n    time.sleep(600)\n"
        "@lineal.pipeline\n"
        "def lasting() -> None:\n    long()\n"
        "with lineal.open(sys.argv[1]):\n    lasting.with_options(run_name=sys.argv[2])()\n"
    )
    command = [sys.executable, "-P", str(program), str(store), name]
    begun = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert begun.stdout is not None
    with begun.stdout:
        assert begun.stdout.readline() == "begun\n"
    return begun


def test_the_example_in_the_help_runs(command: Command) -> None:
    program, *argv = shlex.split(command("--help").out.splitlines()[-1].removeprefix("Example: "))
    assert (program, command(*argv).code) == ("lineal", 0)


@pytest.mark.parametrize("verb", [["runs"], ["gc", "--dry-run"]])
def test_python_dash_m_and_the_console_script_are_the_same_command(trained: Path, verb: list[str]) -> None:
    script = Path(sys.executable).with_name("lineal")
    outputs = [
        subprocess.run([*program, *verb, "--store", str(trained)], capture_output=True, text=True, check=True).stdout
        for program in ([sys.executable, "-P", "-m", "lineal"], [str(script)])
    ]
    assert outputs[0] == outputs[1] != ""
