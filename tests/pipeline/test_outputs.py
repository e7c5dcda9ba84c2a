"""What a return annotation declares."""

from __future__ import annotations

import typing
from typing import Annotated, Any

import pytest

from lineal import Artifact
from lineal.errors import InvalidName, InvalidPipeline
from lineal.pipeline.declaring.outputs import declared_outputs

Shadowed = int


def undeclared(): ...  # type: ignore[no-untyped-def]
def nothing() -> None: ...
def single() -> int: ...
def named() -> Annotated[int, "count"]: ...
def configured() -> Annotated[int, Artifact("count")]: ...
def several() -> tuple[Annotated[int, "a"], str, Annotated[float, Artifact("c")]]: ...
def classic() -> typing.Tuple[int, str]: ...  # noqa: UP006
def unbounded() -> tuple[int, ...]: ...
def unknown() -> SomethingUnimported: ...  # type: ignore[name-defined]  # noqa: F821
def unknown_tuple() -> tuple[int, SomethingUnimported]: ...  # type: ignore[name-defined]  # noqa: F821
def twice() -> tuple[Annotated[int, "a"], Annotated[int, "a"]]: ...
def unnameable() -> Annotated[int, "a@1"]: ...


@pytest.mark.parametrize(
    ("function", "names", "artifacts", "is_tuple"),
    [
        (undeclared, ["output"], [None], False),
        (nothing, [], [], False),
        (single, ["output"], [None], False),
        (named, ["count"], ["count"], False),
        (configured, ["count"], ["count"], False),
        (several, ["a", "output_1", "c"], ["a", None, "c"], True),
        (classic, ["output_0", "output_1"], [None, None], True),
        (unbounded, ["output"], [None], False),
        (unknown, ["output"], [None], False),
    ],
)
def test_outputs_are_read_from_the_return_annotation(
    function: Any, names: list[str], artifacts: list[str | None], is_tuple: bool
) -> None:
    outputs = declared_outputs(function)
    assert list(outputs.names) == names
    assert [spec.artifact for spec in outputs.specs] == artifacts
    assert (outputs.form is not None) == is_tuple


def test_a_tuple_that_can_not_be_evaluated_is_refused_rather_than_miscounted() -> None:
    with pytest.raises(InvalidPipeline, match="SomethingUnimported"):
        declared_outputs(unknown_tuple)


def test_outputs_of_one_name_and_names_that_can_not_be_written_are_refused() -> None:
    with pytest.raises(InvalidPipeline, match="same name"):
        declared_outputs(twice)
    with pytest.raises(InvalidName):
        declared_outputs(unnameable)


@pytest.mark.parametrize("name", ["", "a@b", "a\nb", "\x1b[31m", " a", "x" * 201])
def test_an_artifact_can_not_be_called(name: str) -> None:
    with pytest.raises(InvalidName):
        Artifact(name)
