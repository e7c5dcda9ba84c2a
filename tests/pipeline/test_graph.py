"""Tracing: what a pipeline's body may do, and what graph comes of it."""

from __future__ import annotations

import msgpack
import pytest

from lineal import pipeline, step
from lineal.errors import InvalidPipeline
from lineal.pipeline.graph import OutputRef


@step
def source(n: int = 1) -> int:
    return n


@step
def pair(x: int) -> tuple[int, int]:
    return x, x


@step
def total(values: list[int]) -> int:
    return sum(values)


@pipeline
def diamond(n: int):
    left, right = pair(source(n))
    return total([left, right, 3])


def test_a_graph_has_the_steps_in_order_with_what_they_take() -> None:
    graph = diamond.graph(5)
    assert [node.name for node in graph.nodes] == ["source", "pair", "total"]
    assert [node.parents for node in graph.nodes] == [set(), {"source"}, {"pair"}]
    paths = [source.path for source in graph.nodes[2].sources]
    assert paths == ["values[0]", "values[1]", "values[2]"]


def test_equal_calls_are_told_apart_by_number_and_never_collide() -> None:
    @pipeline
    def thrice() -> None:
        source()
        source.with_options(name="source_2")()
        source()

    assert [node.name for node in thrice.graph().nodes] == ["source", "source_2", "source_3"]


def test_structure_is_steps_and_edges_without_literals() -> None:
    assert diamond.graph(1).structure() == diamond.graph(2).structure()
    steps = msgpack.unpackb(diamond.graph(1).structure())["steps"]
    assert steps[2]["inputs"] == {"values[0]": ["pair", "output_0"], "values[1]": ["pair", "output_1"]}


def test_a_step_called_outside_a_pipeline_is_the_plain_function() -> None:
    assert pair(3) == (3, 3)


def test_a_pipeline_called_in_a_pipeline_adds_its_steps() -> None:
    @pipeline
    def outer() -> None:
        total([diamond(3), 1])

    assert [node.name for node in outer.graph().nodes] == ["source", "pair", "total", "total_2"]


@pytest.mark.parametrize(
    "misuse",
    [
        lambda ref: bool(ref),
        lambda ref: len(ref),
        lambda ref: list(ref),
        lambda ref: ref[0],
        lambda ref: ref.shape,
    ],
)
def test_an_output_has_no_value_while_the_pipeline_is_traced(misuse) -> None:
    with pytest.raises(InvalidPipeline, match="train") as caught:
        misuse(OutputRef("train", "model"))
    assert caught.value.hint


def test_an_output_of_another_trace_is_refused() -> None:
    leaked: list[OutputRef] = []

    @pipeline
    def first() -> None:
        leaked.append(source())

    @pipeline
    def second() -> None:
        pair(leaked[0])

    first.graph()
    with pytest.raises(InvalidPipeline, match="another run"):
        second.graph()


def test_a_missing_argument_is_named_with_step_and_pipeline() -> None:
    @pipeline
    def incomplete() -> None:
        pair()

    with pytest.raises(InvalidPipeline, match=r"required argument: 'x'.*step 'pair' in pipeline 'incomplete'"):
        incomplete.graph()
    with pytest.raises(InvalidPipeline, match=r"missing a required argument: 'n'.*pipeline 'diamond'"):
        diamond()


def test_a_wrong_name_is_refused_with_what_is_near() -> None:
    with pytest.raises(InvalidPipeline) as caught:
        diamond(m=3)
    assert "m" in caught.value.what
    with pytest.raises(InvalidPipeline) as near:
        source_like(size_byte=3)
    assert near.value.hint == "Did you mean 'size_bytes'?"


@pipeline
def source_like(size_bytes: int = 1) -> None:
    source(size_bytes)


def test_a_pipeline_without_steps_and_a_step_that_is_no_function_are_refused() -> None:
    @pipeline
    def empty() -> None: ...

    with pytest.raises(InvalidPipeline, match="calls no step"):
        empty()
    with pytest.raises(InvalidPipeline, match="not a plain function"):
        step(3)  # type: ignore[call-overload]
    with pytest.raises(InvalidPipeline, match="which is no parameter"):
        step(ignore_inputs=["nope"])(lambda x: x)
