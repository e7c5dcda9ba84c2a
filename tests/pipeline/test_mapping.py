"""Steps that are called for each item, for each combination and for groups of rows."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import msgpack
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from depth import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal import Client, pipeline, row_groups, step, unmapped
from lineal.errors import InvalidPipeline, StepFailed


@step
def numbers(count: int, first: int = 0) -> list[int]:
    return list(range(first, first + count))


@step
def double(x: int) -> int:
    return 2 * x


@step
def add(x: int, y: int = 10) -> int:
    return x + y


@step
def total(values: list[int]) -> int:
    return sum(values)


@step
def measured(table: Any) -> tuple[int, float]:
    return len(table), float(np.asarray(table["a"]).sum())


@step
def told(x: int) -> None:
    print("told", x)


def statuses(run: Any) -> dict[str, str]:
    return {name: view.status for name, view in run.steps.items()}


@pipeline
def over_list(xs: list[int]) -> None:
    doubled = double.map(xs)
    total(doubled)
    total(add.map(doubled, y=1))


@pipeline
def over_output(count: int) -> None:
    doubled = double.map(numbers(count))
    total(doubled)
    total(add.map(doubled, y=1))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_map_over_an_output_is_that_over_the_list_itself(client: Client, count: int, executor: Any) -> None:
    known = over_list(list(range(count)))
    found = over_output.with_options(executor=executor)(count)
    expected = [2 * sum(range(count)), 2 * sum(range(count)) + count]
    for run in (known, found):
        assert [run.steps[name].output.load() for name in ("total", "total_2")] == expected
    names = [f"{name}[{number}]" for name in ("double", "add") for number in range(count)]
    assert sorted(statuses(found)) == sorted([*names, "numbers", "total", "total_2"])
    assert {view.status for name, view in found.steps.items() if name != "numbers"} == {"cached"}
    assert {view.status for view in over_output(count).steps.values()} == {"cached"}


def test_only_the_calls_whose_item_changed_execute_again(client: Client) -> None:
    @pipeline
    def shifted(first: int) -> None:
        double.map(numbers(3, first=first))

    shifted(0)
    run = shifted(1)
    assert statuses(run) == {
        "numbers": "completed",
        "double[0]": "cached",
        "double[1]": "cached",
        "double[2]": "completed",
    }
    assert run.steps["double[2]"].inputs["x"] == run.steps["numbers"].output
    assert [parent.name for parent in run.steps["double[2]"].parents] == ["numbers"]


def test_the_number_of_calls_makes_no_version_of_the_pipeline(client: Client) -> None:
    versions = {over_output(count).pipeline_version.version for count in (0, 1, 5)}
    assert versions == {1}
    assert len({over_list.graph(list(range(count))).structure() for count in (1, 5)}) == 1
    steps = msgpack.unpackb(over_output.graph(3).structure())["steps"]
    assert [(one["name"], one.get("is_mapped", False)) for one in steps] == [
        ("numbers", False),
        ("double", True),
        ("total", False),
        ("add", True),
        ("total_2", False),
    ]
    assert steps[1]["inputs"] == {"x": ["numbers", "output"]}
    assert steps[3]["inputs"] == {"x": ["double", "output"]}
    assert steps[4]["inputs"] == {"values": ["add", "output"]}


def test_lists_are_gone_through_side_by_side_or_in_all_combinations(client: Client) -> None:
    @pipeline
    def combined() -> None:
        total(add.map(range(3), (n for n in (10, 20, 30))))
        total(add.product(x=numbers(2), y=[10, 20]))
        total(add.map(x=numbers(2), y=unmapped(double(1))))

    run = combined()
    calls = {name: view.output.load() for name, view in run.steps.items() if name.startswith("add")}
    assert [calls[f"add[{n}]"] for n in range(3)] == [10, 21, 32]
    assert [calls[f"add_2[{n}]"] for n in range(4)] == [10, 20, 11, 21]
    assert [calls[f"add_3[{n}]"] for n in range(2)] == [2, 3]


def test_what_a_map_gives_can_be_indexed_and_each_output_is_a_list(client: Client, executor: Any) -> None:
    table = pd.DataFrame({"a": np.arange(10.0)})

    @step
    def table_of(rows: int) -> pd.DataFrame:
        return table[:rows]

    @pipeline(executor=executor)
    def grouped(rows: int) -> None:
        counts, _sums = measured.map(row_groups(table_of(rows), rows=4))
        total(counts)
        double(counts[-1])
        counts, _sums = measured.map(row_groups(table, rows=4))
        assert len(counts) == 3
        total(counts)
        double(counts[-1])

    run = grouped(10)
    assert [run.steps[name].output.load() for name in ("total", "double", "total_2", "double_2")] == [10, 4, 10, 4]
    assert {statuses(run)[name] for name in ("measured[2]", "measured_2[2]")} == {"completed", "cached"}
    assert run.steps["measured[2]"].outputs["output_1"].load() == 17.0
    with pytest.raises(InvalidPipeline, match="'measured' has no call -1: it made 0"):
        grouped(0)


@pytest.mark.parametrize("made", [pa.table, pd.DataFrame, lambda columns: __import__("polars").DataFrame(columns)])
def test_tables_of_all_kinds_are_grouped_by_rows(client: Client, made: Any) -> None:
    table = made({"a": [1.0, 2.0, 3.0]})

    @pipeline
    def grouping(table: Any) -> None:
        measured.map(row_groups(table, rows=2))

    run = grouping(table)
    assert [view.outputs["output_1"].load() for view in run.steps.values()] == [3.0, 3.0]


def test_steps_that_give_nothing_can_be_mapped_and_waited_for(client: Client) -> None:
    @pipeline
    def ordered(count: int) -> None:
        done = told.map(numbers(count))
        double.after(done)(1)
        double.after(told.map([7, 8]))(2)

    run = ordered(2)
    assert list(run.steps)[-2:] == ["double", "double_2"] or list(run.steps).index("double") > list(run.steps).index(
        "told[1]"
    )
    graph = ordered.graph(1)
    assert graph.nodes[-1].parents == {"told_2[0]", "told_2[1]"}


def test_maps_of_maps_go_on_call_by_call(client: Client) -> None:
    @step
    def lists(n: int) -> list[int]:
        return list(range(n))

    @pipeline
    def nested() -> None:
        inner = lists.map(numbers(4))
        total(total.map(inner))
        total(double.map(inner[3]))

    run = nested()
    assert [run.steps[name].output.load() for name in ("total_2", "total_3")] == [0 + 0 + 1 + 3, 6]


class Halves(NamedTuple):
    low: int
    high: int


@step
def halves(x: int) -> Halves:
    return Halves(x // 2, x - x // 2)


def test_a_map_has_the_shape_of_a_call(client: Client) -> None:
    @pipeline
    def halving() -> None:
        halved = halves.map(numbers(3))
        assert isinstance(halved, Halves)
        total(halved.low)
        total(halved.high)

    run = halving()
    assert [run.steps[name].output.load() for name in ("total", "total_2")] == [1, 2]
    assert halves.map([1, 4]) == Halves([0, 2], [1, 2])
    assert add.product([1, 2], [10, 20]) == [11, 21, 12, 22]


def test_an_output_that_is_unpacked_is_gone_through_when_traced() -> None:
    @step
    def pair() -> Annotated[tuple[int, int], "pair"]:
        return 1, 2

    @pipeline
    def pairing() -> None:
        total(double.map(pair()))

    assert [node.name for node in pairing.graph().nodes] == ["pair", "double[0]", "double[1]", "total"]


@pytest.mark.parametrize(
    ("misuse", "message"),
    [
        (lambda: add.map([1, 2], [1, 2, 3]), "side by side, but x has 2, y has 3"),
        (lambda: add.map(1, y=2), "given nothing to go through"),
        (lambda: add.map(unmapped([1]), 2), "given nothing to go through"),
        (lambda: total.map(np.zeros(3)), "it can't be told whether 'values', a ndarray"),
        (lambda: total.map({1: 2}), "it can't be told whether 'values', a dict"),
        (lambda: double.map(["1"]), r"'x' is annotated int but is given a str.*step 'double\[0\]'"),
        (lambda: row_groups([1], rows=0), "a group of 0 rows"),
        (lambda: row_groups(1, rows=2), "a int has no rows"),
        (lambda: double.map(numbers(2))["a"], "be indexed with 'a'"),
        (lambda: list(double.map(numbers(2))), "can't be unpacked"),
        (lambda: double(unmapped(1)), r"'x' is given unmapped\(…\), which only an argument of a map can be"),
        (lambda: measured(row_groups(numbers(2), rows=1)), r"'table' is given row_groups\(…\), which only"),
        (lambda: total([1, unmapped(double(1))]), r"'values\[1\]' is given unmapped"),
        (lambda: measured.map([row_groups([1, 2], rows=1)]), r"'table\[0\]' is given row_groups"),
    ],
)
def test_a_map_that_can_not_be_is_refused_when_it_is_traced(misuse: Any, message: str) -> None:
    with pytest.raises(InvalidPipeline, match=message) as caught:
        pipeline(lambda: misuse()).graph()
    assert caught.value.hint


@pytest.mark.parametrize("value", ["text", {"a": 1}, 5])
def test_an_output_that_can_not_be_gone_through_fails_the_run_and_is_named(client: Client, value: Any) -> None:
    @step
    def made() -> Any:
        return value

    @pipeline
    def mapping() -> None:
        double.map(made())

    with pytest.raises(InvalidPipeline, match=r"output 'output' of step 'made', a .* can't be mapped over"):
        mapping()
    run = next(client.runs())
    assert (run.status, run.steps["made"].status) == ("failed", "completed")


def test_a_call_that_fails_fails_the_run_and_what_takes_the_list_is_skipped(client: Client) -> None:
    @step
    def inverse(x: int) -> float:
        return 1 / x

    @pipeline
    def inverting() -> None:
        total(inverse.map(numbers(3)))

    with pytest.raises(StepFailed, match=r"inverse\[0\]"):
        inverting()
    assert statuses(next(client.runs()))["inverse[0]"] == "failed"


def test_the_calls_beside_one_that_fails_go_on_where_that_is_said(client: Client) -> None:
    @step
    def inverse(x: int) -> float:
        return 1 / x

    @pipeline
    def inverting() -> None:
        inverted = inverse.map(numbers(3))
        double(total(inverted))
        add.map(inverted)
        double(inverted[2])

    with pytest.raises(StepFailed, match=r"inverse\[0\]"):
        inverting.with_options(failure="continue")()
    found = statuses(next(client.runs()))
    assert {name for name, status in found.items() if status == "skipped"} == {"total", "double", "add[0]"}
    assert {name for name, status in found.items() if status == "failed"} == {
        "inverse[0]",
        "add[1]",
        "add[2]",
        "double_2",
    }


def test_a_call_that_comes_after_a_failure_is_known_is_skipped_for_it(client: Client) -> None:
    @step
    def inverse(x: int) -> float:
        return 1 / x

    @step
    def three(x: float) -> list[int]:
        return [1, 2, 3]

    @step
    def scaled(x: float, by: int) -> float:
        return x * by

    @pipeline(failure="continue")
    def late() -> None:
        inverted = inverse.map(numbers(3))
        best = scaled.map(inverted, three(inverted[2]))
        three(best[0])

    with pytest.raises(StepFailed, match=r"inverse\[0\]"):
        late()
    found = statuses(next(client.runs()))
    assert {name for name, status in found.items() if status == "skipped"} == {"scaled[0]", "three_2"}
    assert found["scaled[2]"] == "completed"


@given(data=st.data())
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_maps_and_products_give_what_plain_loops_give_and_share_their_results(
    client: Client, data: st.DataObject
) -> None:
    xs = data.draw(st.lists(st.integers(-5, 5), max_size=4))
    ys = data.draw(st.lists(st.integers(-5, 5), min_size=1, max_size=3))
    is_output = data.draw(st.booleans())

    @step(version="1")
    def given(items: list[int]) -> list[int]:
        return items

    @pipeline
    def looped() -> None:
        sums = [add(double(x), y) for x in xs for y in ys]
        total(sums)

    @pipeline
    def mapped() -> None:
        doubled = double.map(given(xs) if is_output else xs)
        total(add.product(doubled, given(ys) if is_output else ys))

    one, other = looped(), mapped()
    assert one.steps["total"].output.content == other.steps["total"].output.content
    assert {view.status for name, view in other.steps.items() if name.startswith(("add", "double", "total"))} <= {
        "cached"
    }
