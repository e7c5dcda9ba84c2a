"""A store that a real pipeline has filled, and the command run in this process."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import pytest

import lineal
from lineal import Artifact, pipeline, step
from lineal.cli import main
from lineal.errors import StepFailed

HOSTILE = "\x1b[2J\x9b31m\u202egpj\r\x07"
"""Clears the screen, colours, reverses, hides and rings, where it gets through."""


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


@step
def load(size: int) -> tuple[Annotated[list, "rows"], Annotated[int, "count"]]:
    """Make rows."""
    print("loading", size, "rows")
    return list(range(size)), size


@step
def train(rows: list, count: int, lr: float) -> Annotated[dict, Artifact("digits-model")]:
    """Fit a model."""
    return {"weight": sum(rows) * lr / count}


@step
def check(model: dict, note: str) -> Annotated[bool, "ok"]:
    """Refuse a note."""
    if note:
        print(f"about to fail: {note}")
        raise ValueError(f"bad note {note}")
    return True


@pipeline
def training(lr: float = 0.1, note: str = ""):
    """Train."""
    rows, count = load(4)
    check(train(rows, count, lr), note)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with runs 1 (executed), 2 (cached), 3 (another parameter) and 4 (failed), and a large save by hand.

    Nothing is visualized. Not to be written to: copy it.
    """
    path = tmp_path_factory.mktemp("cli") / "store"
    with lineal.open(path, visualize=False) as store:
        training()
        training()
        training(lr=0.5)
        # Nobody may call a run so; but who writes to a store with another program can.
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys.modules["lineal.pipeline.pipeline"], "check_name", lambda name, kind: name)
            with pytest.raises(StepFailed):
                training.with_options(run_name=f"the {HOSTILE}run")(lr=0.5, note=HOSTILE)
        store.save(bytes(range(256)) * 1000, "raw")
        store.pin("digits-model@1", "champion")
    return path


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A copy of the store, to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "copied"))


@pytest.fixture
def command(trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command line in this process, by default on the trained store."""
    monkeypatch.setenv("LINEAL_STORE", str(trained))

    def run(*argv: str) -> Ended:
        capsys.readouterr()
        code = main(argv)
        return Ended(code, *capsys.readouterr())

    return run
