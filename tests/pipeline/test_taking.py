"""What steps are given: parts of outputs, and artifacts that are stored already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pytest

import lineal
from lineal import Client, pipeline, step
from lineal.errors import InvalidPipeline

ran: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()


@step
def parts(first: int, second: int) -> list[int]:
    ran.append("parts")
    return [first, second]


@step
def nested(x: int) -> Annotated[dict[str, Any], "nested"]:
    return {"rows": [x, x + 1], "frame": pd.DataFrame({"a": [x], "b": [2.0]})}


@step
def paired(x: int) -> Annotated[tuple[int, np.ndarray], "pair"]:
    return x, np.arange(20_000)


@step
def double(x: int) -> int:
    ran.append(f"double {x}")
    return 2 * x


@step
def total(values: Any) -> float:
    return float(np.sum(values))


@pipeline
def selecting(first: int, second: int) -> None:
    made = parts(first, second)
    double(made[0])
    double(made[-1])


def test_a_part_is_a_cause_by_itself_and_an_edge_to_the_whole(client: Client) -> None:
    run = selecting(1, 2)
    assert [run.steps[name].output.load() for name in ("double", "double_2")] == [2, 4]
    whole = run.steps["parts"].output
    assert run.steps["double"].inputs == {"x": whole}
    assert [parent.name for parent in run.steps["double"].parents] == ["parts"]
    assert {view.name for view in whole.consumers} == {"double", "double_2"}
    assert {node.name for node in run.steps["double"].output.lineage()} >= {"selecting.parts.output"}
    ran.clear()
    again = selecting(1, 3)
    assert ran == ["parts", "double 3"]
    assert again.steps["double"].is_cached


def test_parts_of_parts_and_columns_are_selected(client: Client, executor: Any) -> None:
    @pipeline(executor=executor)
    def deep() -> None:
        made = nested(5)
        double(made["rows"][1])
        total(made["frame"]["b"])
        one, array = paired(3)
        total([one, array[2]])

    run = deep()
    assert [run.steps[name].output.load() for name in ("double", "total", "total_2")] == [12, 2.0, 5.0]


def test_a_part_that_is_not_there_fails_the_run_and_says_of_what(client: Client) -> None:
    @pipeline
    def missing() -> None:
        double(parts(1, 2)[5])

    with pytest.raises(InvalidPipeline, match=r"output 'output' of step 'parts' has no \[5\], which step 'double'"):
        missing()
    assert next(client.runs()).status == "failed"


def test_what_was_taken_of_an_output_lives_as_long_as_who_took_it(client: Client) -> None:
    @pipeline
    def large() -> None:
        total(paired(1)[1])

    run = large()
    client.collect(grace_s=0)
    event = next(one.event for one in client.events(run=run) if getattr(one.event, "step", "") == "total")
    assert client.store.blobs.holds(event.inputs[0].given)
    assert event.inputs[0].element.selector == "[1]"


def test_a_stored_artifact_is_an_input_with_its_edge(client: Client, executor: Any) -> None:
    saved = client.save([1.0, 2.0], "samples")

    @pipeline(executor=executor)
    def using(which: Any) -> None:
        total(which)
        total([which, [3.0, 4.0]])

    run = using(lineal.artifact("samples@1"))
    assert run.steps["total"].output.load() == 3.0
    assert run.steps["total"].inputs == {"values": saved}
    assert run.steps["total_2"].inputs == {"values[0]": saved}
    assert [view.name for view in saved.consumers] == ["total", "total_2"]
    assert saved in [client.artifact(f"{node.name}@{node.version}") for node in run.steps["total"].output.lineage()]
    client.save([5.0, 6.0], "samples")
    again = using(saved.artifact)
    assert (again.steps["total"].output.load(), again.steps["total"].is_cached) == (11.0, False)
    assert using(lineal.artifact("samples@1")).steps["total"].is_cached


def test_an_artifact_of_an_output_does_for_the_output(client: Client) -> None:
    @pipeline
    def making() -> None:
        double(double(2))

    @pipeline
    def using(x: Any) -> None:
        double(x)

    made = making().steps["double"].output
    ran.clear()
    assert using(made).steps["double"].is_cached


def test_an_artifact_of_another_store_is_refused(client: Client, tmp_path: Path) -> None:
    @pipeline
    def using(x: Any) -> None:
        double(x)

    with lineal.open(tmp_path / "other") as other:
        elsewhere = other.save(1, "elsewhere")
    with pytest.raises(InvalidPipeline, match="'elsewhere' that is in another store"):
        using(elsewhere)


@pytest.mark.parametrize("value", [np.arange(3), pd.DataFrame({"a": [1, 2]}), {1, 2}, Path("a"), b"\0" * 70_000])
def test_whatever_can_be_stored_can_be_passed(client: Client, value: Any, executor: Any) -> None:
    @step
    def shown(value: Any) -> str:
        return repr(value)

    @pipeline(executor=executor)
    def showing(value: Any) -> None:
        shown(value)

    run = showing(value)
    assert run.steps["shown"].output.load() == repr(value)
    assert repr(run.parameters["value"]) == repr(value)
    assert showing(value).steps["shown"].is_cached
