"""Dynamic pipelines: the body runs while the steps do."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pytest

from lineal import Client, pipeline, row_groups, step
from lineal.errors import InvalidPipeline, StepFailed


@step
def number(n: int) -> int:
    return n


@step
def halve(x: int) -> int:
    return x // 2


@step
def numbers(count: int) -> list[int]:
    return list(range(count))


@step
def total(values: list[int]) -> int:
    return sum(values)


@step
def inverse(x: int) -> float:
    return 1 / x


@step
def told(x: int) -> None:
    print(x)


@pipeline(dynamic=True)
def halving(n: int) -> None:
    x = number(n)
    while x > 1:
        x = halve(x)
    told(x)


@pytest.fixture(params=["inline", "elsewhere", "threads"])
def anywhere(request: pytest.FixtureRequest, elsewhere: Any) -> Any:
    if request.param == "threads":
        with ThreadPoolExecutor(2) as pool:
            yield pool
    else:
        yield elsewhere if request.param == "elsewhere" else "inline"


def test_a_loop_goes_on_as_values_say_and_keeps_the_edges(client: Client, anywhere: Any) -> None:
    run = halving.with_options(executor=anywhere)(20)
    assert list(run.steps) == ["number", "halve", "halve_2", "halve_3", "halve_4", "told"]
    assert run.steps["halve_2"].inputs["x"] == run.steps["halve"].output
    assert (run.status, run.steps["told"].log) == ("completed", "1\n")
    again = halving(20)
    assert {view.status for view in again.steps.values()} == {"cached"}


def test_the_version_of_a_dynamic_pipeline_is_that_of_its_function(client: Client) -> None:
    assert {halving(n).pipeline_version.version for n in (2, 9, 40)} == {1}

    def other(n: int) -> None:
        told(number(n) + 1)

    assert pipeline(name="halving", dynamic=True)(other)(1).pipeline_version.version == 2
    with pytest.raises(InvalidPipeline, match="known only when it runs"):
        halving.graph(2)
    with pytest.raises(InvalidPipeline, match="known only when it runs"):
        halving.plan(2)


def test_references_do_what_their_values_do(client: Client) -> None:
    seen: list[Any] = []

    @pipeline(dynamic=True)
    def asking() -> None:
        two, many = number(2), numbers(3)
        seen.extend([two + 1, 1 - two, two * two, -two, divmod(7, two), two == 2, two != 2, bool(two), int(two)])
        seen.extend([str(two), f"{two:03d}", float(two), round(two), list(range(two)), "abc"[two], two.bit_length()])
        seen.extend([len(many), 2 in many, [x.load() for x in many], many[-1].load(), many == [0, 1, 2], many.index(1)])
        seen.append("big" if two > 1 else "small")
        seen.append(told(1).load())

    asking()
    assert seen[:9] == [3, -1, 4, -2, (3, 1), True, False, True, 2]
    assert seen[9:16] == ["2", "002", 2.0, 2, [0, 1], "c", 2]
    assert seen[16:] == [3, True, [0, 1, 2], 2, True, 1, "big", None]


def test_parts_keep_their_lineage_and_computed_values_are_literals(client: Client) -> None:
    @pipeline(dynamic=True)
    def splitting() -> None:
        many = numbers(3)
        for x in many:
            if x > 0:
                halve(x)
        halve(many[1] + 6)

    run = splitting()
    assert list(run.steps) == ["numbers", "halve", "halve_2", "halve_3"]
    assert run.steps["halve"].inputs == {"x": run.steps["numbers"].output}
    assert (run.steps["halve_3"].inputs, run.steps["halve_3"].parameters) == ({}, {"x": 7})


def test_maps_are_lists_whose_results_can_be_asked_for(client: Client, anywhere: Any) -> None:
    @step
    def table() -> pd.DataFrame:
        return pd.DataFrame({"a": range(5)})

    @step
    def rows(table: pd.DataFrame) -> int:
        return len(table)

    @pipeline(dynamic=True, executor=anywhere)
    def choosing() -> None:
        halved = halve.map(numbers(6))
        total([one for one in halved if one > 0])
        total(rows.map(row_groups(table(), rows=2)))

    run = choosing()
    assert [run.steps[name].output.load() for name in ("total", "total_2")] == [6, 5]
    assert list(run.steps["total"].inputs) == [f"values[{n}]" for n in range(4)]


def test_a_failure_can_be_caught_where_the_run_goes_on(client: Client, anywhere: Any) -> None:
    @pipeline(dynamic=True, failure="continue", executor=anywhere)
    def trying() -> None:
        for n in (0, 2):
            one = inverse(n)
            halve(one)
            try:
                told(int(one))
            except StepFailed as error:
                number(len(str(error)))

    with pytest.raises(InvalidPipeline):
        trying()

    @pipeline(dynamic=True, failure="continue", executor=anywhere)
    def handling() -> None:
        one = inverse(0)
        after = total([one])
        try:
            after.load()
        except StepFailed:
            number(1)

    run = handling()
    assert {name: view.status for name, view in run.steps.items()} == {
        "inverse": "failed",
        "total": "skipped",
        "number": "completed",
    }
    assert run.status == "completed"


def test_a_failure_ends_a_run_that_is_to_stop_though_the_body_goes_on(client: Client, anywhere: Any) -> None:
    @pipeline(dynamic=True, executor=anywhere)
    def hiding() -> None:
        with contextlib.suppress(StepFailed):
            told(int(inverse(0)))

    with pytest.raises(StepFailed, match="inverse"):
        hiding()
    assert next(client.runs()).status == "failed"


def test_an_error_of_the_body_fails_the_run_and_leaves_what_was_done(client: Client) -> None:
    @pipeline(dynamic=True)
    def mistaken() -> None:
        x = number(1)
        if x == 1:
            raise ValueError("one")

    with pytest.raises(ValueError, match="one"):
        mistaken()
    run = next(client.runs())
    assert (run.status, run.message, run.steps["number"].status) == ("failed", "ValueError: one", "completed")


def test_pipelines_that_call_themselves_end_or_are_refused(client: Client) -> None:
    @pipeline(dynamic=True)
    def falling(n: Any) -> None:
        x = halve(n)
        if x > 0:
            falling(x)

    run = falling(5)
    assert list(run.steps) == ["halve", "falling.halve", "falling.falling.halve"]

    @pipeline(dynamic=True)
    def endless() -> None:
        endless()

    with pytest.raises(InvalidPipeline, match="more than 100 deep: 'endless' may call itself"):
        endless()


def test_in_a_static_pipeline_a_condition_is_still_refused() -> None:
    @pipeline
    def outer() -> None:
        halving(3)

    with pytest.raises(InvalidPipeline, match="can't be compared"):
        outer.graph()
