"""What ``plan`` says, and that it runs nothing."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lineal

Command = Callable[..., Any]
FLOW = """
    from lineal import pipeline, step

    @step
    def load(rows: int) -> list:
        print("never at once")
        return list(range(rows))

    @step
    def fit(data: list, rate: float, note: str) -> float:
        return sum(data) * rate

    @pipeline
    def training(rows: int = 3, rate: float = 0.5, note: str = ""):
        fit(load(rows), rate, note)

    if __name__ == "__main__":
        raise SystemExit("run")
"""


@pytest.fixture
def ran(project: Callable[[dict[str, str]], ModuleType], store_path: Path) -> Path:
    """A store in which the pipeline of ``flow`` ran once."""
    with lineal.open(store_path):
        project({"flow.py": FLOW}).training()
    return store_path


@pytest.fixture
def plan(command: Command, ran: Path) -> Command:
    """Plans with that store."""
    return lambda target, *argv: command("plan", target, *argv, "--store", str(ran))


def table(ended: Any) -> list[str]:
    assert (ended.code, ended.err) == (0, "")
    return [" ".join(line.split()) for line in ended.out.splitlines()]


def test_a_pipeline_of_a_module_is_foreseen_and_not_run(plan: Command, ran: Path) -> None:
    with lineal.open(ran) as store:
        head = store.head
    assert table(plan("flow:training"))[:3] == [
        "STEP VERDICT EXPECTED WHY",
        "load hit - reuses training-1/load",
        "fit hit - reuses training-1/fit",
    ]
    changed = table(plan("flow:training", "--param", "rows=4", "--param", "note=some text"))
    assert changed[1].startswith("load miss 0.")
    assert changed[1].endswith("parameter rows: 3 → 4")
    assert changed[2].endswith("may run: it depends on what load will give")
    assert changed[-1].startswith("plan training: 1 to run, 1 may run, 0 served; expected to take 0.")
    with lineal.open(ran) as store:
        assert store.head == head


def test_a_pipeline_of_a_file_is_foreseen(plan: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    script = tmp_path / "other.py"
    script.write_text(textwrap.dedent(FLOW))
    assert "first run of __main__.load" in table(plan(f"{script}:training"))[1]


def test_changed_code_is_shown_if_asked_for(
    plan: Command, project: Callable[[dict[str, str]], ModuleType], ran: Path
) -> None:
    project({"flow.py": FLOW.replace("sum(data)", "max(data)")})
    lines = table(plan("flow:training"))
    assert lines[2].endswith("code: function flow:fit changed")
    assert "+ return max(data) * rate" not in lines
    assert "+ return max(data) * rate" in table(plan("flow:training", "--diff"))


def test_json_has_all_of_it(plan: Command) -> None:
    forecast = json.loads(plan("flow:training", "--param", "rate=0.25", "--json").out)
    assert (forecast["kind"], forecast["pipeline"]) == ("forecast", "training")
    load, fit = forecast["steps"]
    assert (load["verdict"], load["reuses"]["reference"]) == ("hit", "training-1/load")
    assert [(cause["cause"], cause["old"], cause["new"]) for cause in fit["reasons"]] == [("parameter", "0.5", "0.25")]
    assert fit["expected"]["executions"] == 1


@pytest.mark.parametrize(
    ("target", "argv", "code", "message"),
    [
        ("flow:nothing", [], 3, "flow has no pipeline 'nothing'"),
        ("flow:load", [], 3, "flow has no pipeline 'load'"),
        ("flow:trainin", [], 3, "Did you mean training?"),
        ("flow.py", [], 3, "Write flow.py:PIPELINE."),
        ("needy:training", [], 3, "needy imports 'no_such_package', which is not there"),
        ("needy.py:training", [], 3, "needy.py imports 'no_such_package', which is not there"),
        ("no_such_module:training", [], 3, "there is no module 'no_such_module'"),
        ("no_such_file.py:training", [], 1, "the script can't be read"),
        ("flow:training", ["--param", "epochs=3"], 1, "unexpected keyword argument 'epochs'"),
    ],
)
def test_what_can_not_be_planned_is_refused(
    plan: Command,
    target: str,
    argv: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "needy.py").write_text("import no_such_package")
    monkeypatch.chdir(tmp_path)
    ended = plan(target, *argv)
    assert ended.code == code
    assert message in ended.err


def test_a_parameter_without_a_value_is_a_usage_error(plan: Command) -> None:
    assert plan("flow:training", "--param", "epochs").code == 2
