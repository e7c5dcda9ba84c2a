"""Reproducing: each step executes again from the inputs it had, and what comes out is compared, output by output."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lineal
from lineal import Client, reproduce
from lineal.cli import main
from lineal.errors import CodeMissing, StepFailed, StepNotFound, StoreClosed

STEPS = """
    import time
    from pathlib import Path
    from typing import Annotated
    import numpy as np
    import pandas as pd
    from lineal import Artifact, pipeline, step

    def tell(step_run):
        with open("told", "a") as file:
            file.write(step_run.name)

    @step(on_success=tell)
    def load(size: int) -> Annotated[np.ndarray, Artifact("numbers", tags=["raw"])]:
        return np.arange(size) * 2

    @step(cache="refresh")
    def stamp(numbers: np.ndarray) -> tuple[Annotated[dict, "told"], Annotated[int, "count"]]:
        print("stamping")
        return {"size": len(numbers), "at": time.time_ns()}, len(numbers)

    @step
    def table(numbers: np.ndarray, told: dict) -> pd.DataFrame:
        noise = time.time_ns() if Path("noisy").exists() else 0
        return pd.DataFrame({"a": numbers, "b": numbers + noise, "c": numbers * told["at"]})

    @step(seed=7)
    def total(parts: list, note: str) -> float:
        if Path("broken").exists():
            raise OSError("broken")
        return float(np.random.default_rng(1).random() + parts[0]["a"].sum() + parts[1])

    @pipeline
    def job(size: int = 20_000):
        numbers = load(size)
        told, count = stamp(numbers)
        total([table(numbers, told), count], "n")
"""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Client) -> Iterator[Callable[..., Any]]:
    """The pipeline, in a module on the path."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "reproduced.py").write_text(textwrap.dedent(STEPS))
    monkeypatch.syspath_prepend(tmp_path / "project")
    yield __import__("reproduced").job
    del sys.modules["reproduced"]


def verdicts(found: Any) -> dict[str, str]:
    return {step.step: step.verdict for step in found.steps}


def test_what_reads_the_clock_differs_and_what_follows_from_it_does_not(
    client: Client, job: Callable[..., Any], tmp_path: Path
) -> None:
    run = job()
    (tmp_path / "project" / "reproduced.py").unlink()
    names, head = [one.name for one in client.artifacts()], client.head.seq
    found = reproduce(run)
    assert (tmp_path / "told").read_text() == "load"
    assert verdicts(found) == {"load": "same", "stamp": "differs", "table": "same", "total": "same"}
    assert not found.is_same
    stamp = found.steps[1]
    assert [(one.output, one.is_same) for one in stamp.outputs] == [("told", False), ("count", True)]
    assert [leaf.path for leaf in stamp.outputs[0].leaves] == ["['at']"]
    assert "stamp: differs" in str(found)

    (name,) = found.runs
    made = client.run(name)
    assert (made.pipeline.name, made.status, made.again) == ("reproduce", "completed", ("reproduce", run))
    assert made.steps["stamp"].divergence.first == run.steps["stamp"]
    assert made.steps["load"].divergence is None
    added = {one.name for one in client.artifacts()} - {*names}
    assert all(one.startswith("reproduce.") for one in added)
    assert client.artifact("numbers@raw") == run.steps["load"].output
    assert all(len(client.artifact(one).artifact.versions) == 1 for one in names)
    served = {one.event.step: one.event.reuses.run for one in client.events(head, types="step.reused")}
    assert served == {}
    assert job().steps["table"].status == "completed"  # Another stamp than any before.


def test_a_column_that_differs_is_named_and_known_fickleness_too(
    client: Client, job: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "noisy").touch()
    run = job()
    found = reproduce(f"{run.name}/table", code="current")
    assert verdicts(found) == {"table": "differs"}
    assert [leaf.path for leaf in found.steps[0].outputs[0].leaves] == ["['b']"]
    again = reproduce(client.run(found.runs[0]), code="current")
    assert (again.steps[0].verdict, again.steps[0].why) == (
        "not comparable",
        "it has given different results for the same before",
    )


def test_what_can_not_be_compared_says_why_and_hinders_nothing_else(
    client: Client, job: Callable[..., Any], tmp_path: Path
) -> None:
    run = job()
    client.release("told")
    client.collect(grace_s=0)
    (tmp_path / "broken").touch()
    found = reproduce(run, code="current")
    assert {step.step: step.why for step in found.steps} == {
        "load": None,
        "stamp": None,
        "table": "its input told is gone",
        "total": "step 'total' raised OSError: broken",
    }
    assert verdicts(found) == {
        "load": "same",
        "stamp": "differs",
        "table": "not comparable",
        "total": "not comparable",
    }
    with pytest.raises(StepFailed):
        job()
    failed = reproduce("job-2/total", code="current")
    assert failed.steps[0].why == "it gave nothing then: failed"
    assert failed.runs == ()


def test_with_the_code_of_today_an_edit_shows_in_the_step_it_is_in(
    client: Client, job: Callable[..., Any], tmp_path: Path
) -> None:
    run = job()
    path = tmp_path / "project" / "reproduced.py"
    path.write_text(path.read_text().replace("* 2", "* 3"))
    del sys.modules["reproduced"]
    found = reproduce(run, code="current")
    assert verdicts(found)["load"] == "differs"
    assert verdicts(found)["total"] == "same"
    made = client.run(found.runs[0]).steps["load"]
    assert made.fingerprint != run.steps["load"].fingerprint
    assert made.divergence is None


def test_it_needs_a_store_that_can_be_written_to_and_steps_that_are_there(
    client: Client, job: Callable[..., Any]
) -> None:
    job()
    client.flush()
    head = client.head
    with pytest.raises(StepNotFound):
        reproduce("job-1/nothing")
    with lineal.open(client.path, read_only=True), pytest.raises(StoreClosed, match="read-only"):
        reproduce("job-1")
    assert client.head == head


def test_the_command_ends_with_zero_only_if_all_is_the_same(
    client: Client, job: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    job()
    at = ("--store", str(client.path))
    capfd.readouterr()
    assert main(["reproduce", "job-1/load", "--code", "current", *at]) == 0
    assert "everything came out as it was" in capfd.readouterr().out
    assert main(["reproduce", "job-1", "--json", *at]) == 1
    told = capfd.readouterr()
    record = json.loads(told.out)
    assert told.err == "stamping\n"
    assert (record["is_same"], record["runs"]) == (False, ["reproduce-2"])
    assert [step["verdict"] for step in record["steps"]] == ["same", "differs", "same", "same"]
    assert [one["where"][0].startswith("['at']: ") for one in record["steps"][1]["outputs"] if one["where"]] == [True]


def test_a_step_inside_a_function_has_no_code_to_be_had(client: Client) -> None:
    @lineal.step
    def inner() -> int:
        return 1

    @lineal.pipeline
    def local() -> None:
        inner()

    found = reproduce(local(), code="current")
    assert found.steps[0].verdict == "not comparable"
    assert "<locals>.inner can't be imported" in (found.steps[0].why or "")
    with pytest.raises(CodeMissing):
        lineal.rerun("local-1", code="current")
