"""Tracing: what a pipeline's body may do, and what graph comes of it."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from typing import Any

import msgpack
import numpy as np
import pytest

from lineal import pipeline, step
from lineal.errors import InvalidPipeline
from lineal.pipeline.graph.references import OutputRef
from lineal.pipeline.graph.tracing import Trace


@step
def source(n: int = 1) -> int:
    return n


@step
def pair(x: int) -> tuple[int, int]:
    return x, x


@step
def total(values: Any) -> int:
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


@step
def report(x: int = 0) -> None:
    print(x)


def test_a_step_can_come_after_calls_that_it_takes_nothing_of() -> None:
    @pipeline
    def ordered(n: int) -> None:
        told = report(n)
        left, right = pair(1)
        source.after(told, (left, right))(n)
        source.after(told)(n)

    graph = ordered.graph(1)
    assert [node.parents for node in graph.nodes[2:]] == [{"report", "pair"}, {"report"}]
    assert [node.sources[0].value for node in graph.nodes[2:]] == [1, 1]
    steps = msgpack.unpackb(graph.structure())["steps"]
    assert [one.get("after") for one in steps] == [None, None, ["report", "pair"], ["report"]]


def test_after_wants_calls_of_the_same_pipeline_and_a_call_that_gives_nothing_is_not_passed_on() -> None:
    @pipeline
    def passing() -> None:
        source(report())

    @pipeline
    def leaking() -> None:
        leaked.append(report())

    leaked: list[Any] = []
    leaking.graph()
    with pytest.raises(InvalidPipeline, match="'report' gives nothing"):
        passing.graph()
    with pytest.raises(InvalidPipeline, match="run after 'report', which is no call"):
        source.after("report")
    with pytest.raises(InvalidPipeline, match="another run"):
        pipeline(lambda: source.after(leaked[0])()).graph()


def test_a_step_called_outside_a_pipeline_is_the_plain_function() -> None:
    assert pair(3) == (3, 3)


def test_a_pipeline_called_in_a_pipeline_adds_its_steps() -> None:
    @pipeline
    def outer() -> None:
        total([diamond(3), 1])

        total([diamond(4), 1])

    inner, again = ("diamond.source", "diamond.pair", "diamond.total"), ("diamond_2.source", "diamond_2.pair")
    names = [node.name for node in outer.graph().nodes]
    assert names == [*inner, "total", *again, "diamond_2.total", "total_2"]
    steps = msgpack.unpackb(outer.graph().structure())["steps"]
    assert [one.get("pipeline") for one in steps] == [*["diamond"] * 3, None, *["diamond_2"] * 3, None]


@pytest.mark.parametrize(
    "misuse",
    [
        lambda ref: bool(ref),
        lambda ref: len(ref),
        lambda ref: list(ref),
        lambda ref: ref[0.5],
        lambda ref: ref[1:2],
        lambda ref: ref[ref],
        lambda ref: ref.shape,
        lambda ref: str(ref),
        lambda ref: f"{ref}",
        lambda ref: ref == 1,
        lambda ref: ref != 1,
        lambda ref: ref < 1,
        lambda ref: ref + 1,
        lambda ref: 1 + ref,
        lambda ref: -ref,
        lambda ref: 1 in ref,
        lambda ref: ref(),
        lambda ref: int(ref),
        lambda ref: math.floor(ref),
        lambda ref: "abc"[ref],
        lambda ref: np.asarray(ref),
        lambda ref: np.ones(2) * ref,
        lambda ref: pickle.dumps(ref),
        lambda ref: copy.deepcopy({1: ref}),
    ],
)
def test_an_output_has_no_value_while_the_pipeline_is_traced(misuse) -> None:
    with pytest.raises(InvalidPipeline, match="train") as caught:
        misuse(OutputRef("train", "model", Trace("p")))
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


def test_outputs_are_told_apart_by_identity_in_sets_and_as_keys() -> None:
    trace = Trace("p")
    one, two = OutputRef("one", "output", trace), OutputRef("one", "output", trace)
    assert len({one, two, one}) == 2
    assert {one: 1}[one] == 1
    assert repr(one) == "<output 'output' of step 'one'>"


def test_an_output_kept_from_another_call_is_refused_though_the_names_agree() -> None:
    kept: list[Any] = []

    @pipeline
    def keeping() -> None:
        kept.append(source())
        pair(kept[0])

    keeping.graph()
    with pytest.raises(InvalidPipeline, match="another run"):
        keeping.graph()


def test_a_literal_is_taken_as_it_is_when_the_step_is_called() -> None:
    @pipeline
    def sweep() -> None:
        config: dict[str, Any] = {"lr": 0.0, "deep": ([{"a": 0}], bytearray(b"0")), "seen": set()}
        for number in (1, 2):
            config["lr"] = number
            config["deep"][0][0]["a"] = number
            config["deep"][1][:] = b"%d" % number
            config["seen"].add(number)
            total(config)
            total([source(), config])

    literals = [node.sources[-1].value for node in sweep.graph().nodes if node.step is total]
    first = {"lr": 1, "deep": ([{"a": 1}], bytearray(b"1")), "seen": {1}}
    second = {"lr": 2, "deep": ([{"a": 2}], bytearray(b"2")), "seen": {1, 2}}
    assert literals == [first, first, second, second]


def test_a_literal_that_can_not_change_and_an_array_are_not_copied() -> None:
    constant, array = (1, ("a", None)), np.zeros(3)

    @pipeline
    def passing() -> None:
        total(constant)
        total([array])

    first, second = (node.sources[0].value for node in passing.graph().nodes)
    assert first is constant
    assert second[0] is array


def test_a_literal_nested_in_itself_is_one_literal() -> None:
    @pipeline
    def nested() -> None:
        ring: list[Any] = [1]
        ring.append({"ring": (ring,)})
        total(ring)

    [node] = nested.graph().nodes
    ring = node.sources[0].value
    assert len(node.sources) == 1
    assert ring[1]["ring"][0] is ring


def test_outputs_in_a_list_nested_in_itself_are_refused() -> None:
    @pipeline
    def nested() -> None:
        ring: list[Any] = [source()]
        ring.append(ring)
        total(ring)

    with pytest.raises(InvalidPipeline, match="'total' is nested too deep, or in itself"):
        nested.graph()


def test_keys_that_look_alike_have_paths_of_their_own() -> None:
    @pipeline
    def keyed() -> None:
        total({Key(1): source(1), Key(2): source(2)})

    paths = [one.path for one in keyed.graph().nodes[-1].sources]
    assert paths == ["values[key]", "values[key]#2"]


@dataclasses.dataclass(frozen=True)
class Key:
    number: int

    def __repr__(self) -> str:
        return "key"


def test_a_key_without_a_digest_is_refused_beside_outputs() -> None:
    @pipeline
    def keyed() -> None:
        total({(lambda: 1): source()})

    @pipeline
    def keyed_by_output() -> None:
        total({source(): source()})

    for refused in (keyed, keyed_by_output):
        with pytest.raises(InvalidPipeline, match="a key of the dict 'values'") as caught:
            refused.graph()
        assert caught.value.hint
