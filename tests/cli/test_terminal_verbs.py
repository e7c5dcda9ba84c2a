"""On a terminal: the pager, values on stdout, and each verb that reads, as somebody sees it who types it there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pseudo_terminal import COLOURS, harmful, on_terminal

import lineal
from lineal.cli import main
from lineal.cli.paging import PAGED
from lineal.cli.parser import VERBS

FORWARD = "sed s/^/paged:/"


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A store with more artifacts than a screen has lines."""
    with lineal.open(tmp_path / "long") as store:
        for number in range(100):
            store.save(number, f"artifact-{number:03}")
    return tmp_path / "long"


def test_what_reading_verbs_show_goes_through_the_pager(trained: Path) -> None:
    for argv in (["runs"], ["show", "training-1"], ["lineage", "digits-model", "--format", "dot"]):
        lines = on_terminal(*argv, store=trained, LINEAL_PAGER=FORWARD).splitlines()
        assert lines
        assert all(line.startswith("paged:") for line in lines)
    assert "\x1b[32mcompleted" in on_terminal("runs", store=trained, LINEAL_PAGER=FORWARD)


@pytest.mark.parametrize(
    ("argv", "environment"),
    [
        (["runs", "--no-pager"], {"LINEAL_PAGER": FORWARD}),
        (["runs", "--json"], {"LINEAL_PAGER": FORWARD}),
        (["runs"], {"LINEAL_PAGER": "cat", "PAGER": FORWARD}),
        (["runs"], {"LINEAL_PAGER": "", "PAGER": FORWARD}),
        (["runs"], {"LINEAL_PAGER": "no-such-program", "PAGER": FORWARD}),
        (["runs"], {"LINEAL_PAGER": FORWARD, "TERM": "dumb"}),
        (["init"], {"LINEAL_PAGER": FORWARD}),
        (["logs", "training-1", "--follow"], {"LINEAL_PAGER": FORWARD}),
    ],
)
def test_what_is_not_to_be_paged_is_not(trained: Path, argv: list[str], environment: dict[str, str]) -> None:
    written = on_terminal(*argv, store=trained, **environment)
    assert written
    assert "paged:" not in written


def test_the_pager_is_of_the_environment_and_never_of_a_pipe(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINEAL_PAGER", raising=False)
    program = "import os; del os.environ['LINEAL_PAGER']; from lineal.cli import main; import sys; main(sys.argv[1:])"
    assert "paged:" in on_terminal("runs", store=trained, program=("-c", program), PAGER=FORWARD)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "lineal", "runs", "--store", str(trained)],
        env={**os.environ, "PAGER": FORWARD, "TERM": "xterm"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "paged:" not in done.stdout


@pytest.mark.skipif(shutil.which("less") is None, reason="less is not installed")
def test_less_shows_a_screen_of_much_and_leaves_at_once_with_little(long: Path, trained: Path) -> None:
    written = on_terminal("artifacts", store=long, keys=b"q", LINEAL_PAGER="less", LESS="FRX")
    assert "artifact-010" in written
    assert "artifact-099" not in written
    assert "training-1" in on_terminal("runs", store=trained, LINEAL_PAGER="less", LESS="FRX")


def test_who_leaves_the_pager_early_has_seen_enough(long: Path) -> None:
    (line,) = COLOURS.sub("", on_terminal("log", store=long, LINEAL_PAGER="head -n 1")).splitlines()
    assert line.split() == ["seq", "time", "type", "what"]


def test_an_error_comes_after_what_was_paged(trained: Path) -> None:
    written = on_terminal("show", "none", store=trained, code=3, LINEAL_PAGER=FORWARD)
    assert written.splitlines()[0] == "lineal: nothing is called 'none'"


def test_every_verb_that_is_paged_is_one() -> None:
    assert set(VERBS) >= PAGED


@pytest.fixture(scope="module")
def furnished(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store with a metric to be bisected by, and a text. Not to be written to."""
    path = Path(shutil.copytree(trained, tmp_path_factory.mktemp("furnished") / "store"))
    with lineal.open(path) as store:
        store.log_metrics("training-1", {"accuracy": 0.95})
        store.log_metrics("training-3", {"accuracy": 0.5})
        store.save("a \x1b[2Jtext\u202e\nof two lines", "text")
    return path


@pytest.fixture
def changed(furnished: Path, tmp_path: Path) -> Path:
    """A copy to be changed, and a file to be put."""
    Path("notes.txt").write_text("a note")
    return Path(shutil.copytree(furnished, tmp_path / "changed"))


SESSIONS = [
    (["init"], 0, "store"),
    (["steps", "training-1"], 0, "training-1/load"),
    (["du"], 0, "digits-model"),
    (["doctor"], 0, "what to do"),
    (["completion", "bash"], 0, "complete"),
    (["get", "digits-model@1", "-"], 0, '"weight"'),
    (["get", "text", "-"], 0, "of two lines"),
    (["get", "raw", "-"], 1, "lineal: raw@1 as bin is binary, which a terminal can't show"),
    (["get", "digits-model@1", "model.json"], 0, "model.json"),
    (["put", "notes.txt"], 0, "notes.txt@1"),
    (["rm", "training-1"], 0, "Nothing was done. Add --yes to do it."),
    (["rm", "training-1", "--yes"], 0, "lineal undo"),
    (["undo", "9999"], 1, "there is no event 9999"),
    (["rename", "training-1", "baseline"], 0, "training-1 → baseline"),
    (["export", "--prov", "out.json", "training-1"], 0, "out.json"),
    (["export", "--openlineage", "-", "training-1"], 0, '"eventType": "START"'),
    (["bisect", "accuracy < 0.9"], 0, "training-3"),
    (["blame", "digits-model"], 0, "lr: 0.1 → 0.5"),
    (["diff", "training-1", "training-3"], 0, "0.1 → 0.5"),
    (["visualize", "digits-model", "--again", "--output", "page.html"], 0, "page.html"),
    (["cancel", "training-1"], 1, "the run is not running"),
    (["logs", "training-1", "--follow"], 0, "loading 4 rows"),
]


@pytest.mark.parametrize(("argv", "code", "shown"), SESSIONS, ids=lambda value: value if type(value) is str else None)
def test_a_verb_on_a_terminal(changed: Path, argv: list[str], code: int, shown: str) -> None:
    written = on_terminal(*argv, store=changed, code=code)
    assert shown in " ".join(COLOURS.sub("", written).split())
    assert harmful(written) == set()


def test_values_on_stdout_are_what_a_file_would_hold(
    furnished: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for reference, form in (("raw", "bin"), ("digits-model", "json"), ("text", "txt")):
        argv = ["get", reference, "--store", str(furnished), "--as", form]
        assert main([*argv, f"file.{form}"]) == 0
        capfdbinary.readouterr()
        assert main([*argv, "-"]) == 0
        assert capfdbinary.readouterr() == (Path(f"file.{form}").read_bytes(), b"")


def test_a_run_is_followed_until_ctrl_c(changed: Path) -> None:
    program = (
        "import signal, sys, threading, os\n"
        "threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "from lineal.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    written = on_terminal("log", "--follow", store=changed, program=("-c", program), code=128 + signal.SIGINT)
    assert "metric" in written


def test_counts_of_the_past_are_of_the_past(furnished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def printed(*argv: str) -> str:
        assert main([*argv, "--store", str(furnished)]) == 0
        return capsys.readouterr().out

    def told(*argv: str) -> dict[str, object]:
        return dict(json.loads(printed(*argv, "--json")))

    now, then = told("info"), told("info", "--as-of", "training-1")
    assert (now["runs"], then["runs"]) == (4, 1)
    assert now["artifact_versions"] > then["artifact_versions"]  # type: ignore[operator]
    proof = told("prove", "digits-model@1", "--as-of", "training-2")
    assert proof["head"] == printed("head", "--as-of", "training-2").strip()
