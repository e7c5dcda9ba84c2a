"""Arguments held against annotations."""

from __future__ import annotations

import collections
import enum
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Protocol,
    TypedDict,
    TypeVar,
    Union,
)

import numpy as np
import pandas as pd
import pytest

from lineal import Client, pipeline, step
from lineal.errors import InvalidPipeline
from lineal.pipeline.declaring.checks import check, checks_of

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")
Name = NewType("Name", str)


class Colour(enum.Enum):
    RED = 1


class Point(NamedTuple):
    x: int


class Config(TypedDict):
    lr: float


class Drawable(Protocol):
    def draw(self) -> None: ...


def annotated(annotation: Any) -> Callable[..., Any]:
    def function(x): ...  # type: ignore[no-untyped-def]

    function.__annotations__["x"] = annotation
    return function


def fits(annotation: Any, value: Any) -> bool:
    try:
        check(checks_of(annotated(annotation)), {"x": value}, "here")
    except InvalidPipeline:
        return False
    return True


@pytest.mark.parametrize(
    ("annotation", "fitting", "others"),
    [
        (int, [1, -5, np.int64(3)], [True, 1.0, "3", None, np.float64(1.0), np.bool_(True)]),
        (float, [1.0, 1, np.float32(1.0), np.int8(1)], [True, "1.0", None, 1j]),
        (complex, [1j, 1.0, 1, np.complex64(1j)], [True, "1j"]),
        (bool, [True, np.bool_(False)], [1, 0, "True", None]),
        (str, ["a", np.str_("a")], [b"a", 1, None, Path("a")]),
        (bytes, [b"a"], ["a", bytearray(b"a")]),
        (None, [None], [0, ""]),
        (Optional[int], [None, 1], ["1", True]),  # noqa: UP045
        (int | str, [1, "a"], [1.5, None, b"a"]),
        (Union[list[int], str], [[1], "a", []], [["a"], (1,)]),  # noqa: UP007
        (Literal["sgd", 1], ["sgd", 1], ["adam", True, 1.0]),
        (Colour, [Colour.RED], ["RED", 1]),
        (Name, [Name("a"), "a"], [1]),
        (Annotated[int, "documented"], [1], ["1"]),
        (list[int], [[], [1, 2]], [[1, "2"], (1, 2), None, "ab"]),
        (Sequence[float], [[1.0, 2], (1,)], [["a"], 1]),
        (dict[str, list[int]], [{}, {"a": [1]}], [{"a": ["1"]}, {1: [1]}, []]),
        (Mapping[str, int], [{"a": 1}, collections.OrderedDict(a=1)], [{"a": "1"}]),
        (set[int], [{1}], [{"a"}, [1]]),
        (tuple[int, str], [(1, "a")], [(1,), ("a", 1), [1, "a"], (1, "a", 2)]),
        (tuple[int, ...], [(), (1, 2)], [(1, "a")]),
        (tuple[()], [()], [(1,)]),
        (np.ndarray, [np.zeros(2)], [[0, 0], pd.DataFrame()]),
        (pd.DataFrame, [pd.DataFrame()], [pd.Series([1]), {}]),
        (Point, [Point(1)], [(1,)]),
        (Config, [{"lr": 0.1}], [{}, [("lr", 0.1)]]),
        (Callable[[int], int], [abs, int], [1]),
        (type[int], [int, bool], [1]),
        (Path, [Path("a")], ["a"]),
    ],
)
def test_a_value_fits_its_annotation_or_it_does_not(annotation: Any, fitting: list[Any], others: list[Any]) -> None:
    assert [value for value in fitting if not fits(annotation, value)] == []
    assert [value for value in others if fits(annotation, value)] == []
    function = annotated(annotation)
    assert all(checks_of(function)["x"].takes(type(value)) for value in fitting)


@pytest.mark.parametrize(
    "annotation",
    [Any, object, T, Drawable, "Nowhere", typing.Self, Iterable[T], dict[str, Any], "pl.DataFrame", 3, ...],
)
def test_what_an_annotation_does_not_say_is_not_checked(annotation: Any) -> None:
    def function(x): ...  # type: ignore[no-untyped-def]

    function.__annotations__["x"] = annotation
    assert all(one.misfit({"a": object()}, "x") is None for one in checks_of(function).values())


def test_a_frame_for_type_checkers_alone_is_not_checked() -> None:
    def function(x: pl.DataFrame): ...  # type: ignore[no-untyped-def]

    assert checks_of(function) == {}


def test_a_long_container_is_looked_at_in_part_and_a_stream_not_at_all() -> None:
    assert fits(list[int], [1] * 1000 + ["a"])
    items = iter([1, "a"])
    assert fits(Iterable[int], items)
    assert next(items) == 1


def test_parameters_that_take_many_are_checked_one_by_one() -> None:
    def function(*x: int, **named: str): ...  # type: ignore[no-untyped-def]

    check(checks_of(function), {"x": (1, 2), "named": {"a": "b"}}, "here")
    with pytest.raises(InvalidPipeline, match=r"'x\[1\]' is annotated int"):
        check(checks_of(function), {"x": (1, "2")}, "here")
    with pytest.raises(InvalidPipeline, match=r"annotated str but is given a int, 1"):
        check(checks_of(function), {"named": {"a": 1}}, "here")


def test_a_default_fits_whatever_it_is() -> None:
    def function(x: int = None, y: list[int] = ()): ...  # type: ignore[no-untyped-def,assignment]  # noqa: RUF013

    check(checks_of(function), {"x": None, "y": ()}, "here")
    with pytest.raises(InvalidPipeline):
        check(checks_of(function), {"x": "1"}, "here")


ran: list[str] = []


@step
def text() -> str:
    ran.append("text")
    return "3"


@step
def double(x: int, scale: float = 2) -> float:
    ran.append("double")
    return x * scale


@step
def total(values: list[float]) -> float:
    return sum(values)


@pipeline
def doubling(x: int, scale: float = 2):
    return double(x, scale=scale)


def test_a_literal_that_does_not_fit_is_refused_before_anything_runs(client: Client) -> None:
    with pytest.raises(
        InvalidPipeline, match=r"'x' is annotated int but is given a str, '3'.*pipeline 'doubling'"
    ) as caught:
        doubling("3")  # type: ignore[arg-type]
    assert "int(…)" in str(caught.value.hint)

    @pipeline
    def mistaken() -> None:
        text()
        double(1, scale=True)

    ran.clear()
    with pytest.raises(InvalidPipeline, match=r"'scale' is annotated float but is given a bool.*step 'double' in"):
        mistaken()
    assert (ran, list(client.runs())) == ([], [])


def test_an_output_that_does_not_fit_fails_the_step_that_takes_it_before_it_runs(client: Client, executor: Any) -> None:
    @pipeline(executor=executor)
    def mistaken() -> None:
        double(text())  # type: ignore[arg-type]

    ran.clear()
    with pytest.raises(InvalidPipeline, match=r"'x' is annotated int but is given a str, '3'.*step 'double'"):
        mistaken()
    assert "double" not in ran
    run = next(client.runs())
    assert {name: one.status for name, one in run.steps.items()} == {"text": "completed", "double": "failed"}


@step
def many() -> Annotated[Any, "many"]:
    return np.arange(10_000)


@step(cache=False)
def destroyed(root: str) -> None:
    """Make loading anything impossible."""
    for blob in Path(root, "blobs").glob("??/*"):
        blob.unlink()


def test_what_a_stored_value_is_recorded_to_be_is_held_against_the_annotation_before_it_is_loaded(
    client: Client, executor: Any
) -> None:
    @pipeline(executor=executor)
    def mistaken() -> None:
        numbers = many()
        double.after(destroyed.after(numbers)(str(client.path)))(numbers)

    ran.clear()
    with pytest.raises(InvalidPipeline, match=r"'x' is annotated int but is given a ndarray.*step 'double'"):
        mistaken()
    assert "double" not in ran


def test_a_stored_artifact_that_can_not_fit_is_refused_before_anything_runs(client: Client) -> None:
    client.save("three", "word")
    client.save(3, "number")
    client.save([1.0], "list")

    @pipeline
    def taking(name: str) -> None:
        text()
        double(client.artifact(name))  # type: ignore[arg-type]

    @pipeline
    def adding() -> None:
        total(client.artifact("list"))  # type: ignore[arg-type]

    ran.clear()
    with pytest.raises(InvalidPipeline, match=r"'x' is annotated int but is given a str.*pipeline 'taking'"):
        taking("word")
    assert (ran, list(client.runs())) == ([], [])
    assert (taking("number").status, adding().status) == ("completed", "completed")


def test_gathered_outputs_are_checked_with_what_stands_beside_them(client: Client) -> None:
    @pipeline
    def gathering() -> None:
        total([text(), 1.0])  # type: ignore[list-item]

    with pytest.raises(InvalidPipeline, match=r"'values\[0\]' is annotated float"):
        gathering()


def test_an_int_stays_the_int_that_it_is(client: Client) -> None:
    run = doubling(2, scale=3)
    assert run.steps["double"].parameters == {"x": 2, "scale": 3}
    assert type(run.steps["double"].parameters["scale"]) is int
