"""Outputs that are declared together: NamedTuples, TypedDicts, dataclasses, and what is declared of their artifacts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, NamedTuple, NotRequired, TypedDict

import msgpack
import pytest

import lineal
from lineal import Artifact, Client, Materializer, pipeline, step
from lineal.errors import Invalid, InvalidName, InvalidPipeline, UnsavableValue
from lineal.materializers import PartReader, PartWriter
from lineal.pipeline.declaring.outputs import declared_outputs
from lineal.pipeline.fingerprint import code_manifest


class Split(NamedTuple):
    train: list[int]
    test: Annotated[list[int], "held-out"]


class Scores(TypedDict):
    loss: float
    accuracy: Annotated[float, Artifact("accuracy", tags=["headline"])]


@dataclass(frozen=True)
class Fitted:
    model: Annotated[dict[str, float], Artifact("model", tags=["candidate"], metadata={"kind": "linear"})]
    rows: int = 0
    kinds: ClassVar[int] = 0

    @property
    def weight(self) -> float:
        return self.model["w"]


@step
def split(n: int) -> Split:
    return Split(list(range(n)), [n])


@step
def score(split: Split) -> Scores:
    return {"loss": float(len(split.train)), "accuracy": float(split.test[0])}


@step
def fit(rows: list[int], more: list[int]) -> Fitted:
    return Fitted({"w": 0.5}, len(rows) + len(more))


@step
def describe(fitted: Fitted, scores: Scores) -> str:
    return f"{type(fitted).__name__} {fitted.weight} {fitted.rows} {scores['loss']}"


@pipeline
def study(n: int) -> None:
    parts = split(n)
    train, test = parts
    assert isinstance(parts, Split)
    assert parts.train is train is parts[0]
    scores = score(parts)
    fitted = fit(parts.train, more=test)
    assert isinstance(fitted, Fitted)
    assert scores.keys() == {"loss", "accuracy"}
    describe(fitted, {"loss": scores["loss"], "accuracy": scores["accuracy"]})


def test_each_field_is_an_output_and_the_caller_gets_one_of_references(client: Client) -> None:
    run = study(3)
    assert {name: list(view.outputs) for name, view in run.steps.items()} == {
        "split": ["train", "test"],
        "score": ["loss", "accuracy"],
        "fit": ["model", "rows"],
        "describe": ["output"],
    }
    outputs = run.steps["split"].outputs
    assert [outputs["train"].name, outputs["test"].name] == ["study.split.train", "held-out"]
    assert run.steps["describe"].output.load() == "Fitted 0.5 4 3.0"
    assert list(run.steps["score"].inputs) == ["split.train", "split.test"]
    again = study(3)
    assert all(view.is_cached for view in again.steps.values())


def test_classes_of_outputs_travel_to_where_steps_execute(client: Client, elsewhere: Executor) -> None:
    run = study.with_options(executor=elsewhere)(2)
    assert run.steps["describe"].output.load() == "Fitted 0.5 3 2.0"


def test_a_single_output_is_named_whatever_class_it_is_of() -> None:
    def whole() -> Annotated[Split, "split"]: ...  # type: ignore[empty-body]

    outputs = declared_outputs(whole)
    assert (outputs.names, outputs.form, outputs.specs[0].length) == (("split",), None, 2)


def test_classes_inside_functions_are_found_where_the_body_uses_them() -> None:
    class Local(NamedTuple):
        a: int
        b: int

    def local() -> Local:
        return Local(1, 2)

    assert declared_outputs(local).names == ("a", "b")


def returns(value: Any, annotation: Any) -> Callable[[], Any]:
    def given() -> Any:
        return value

    given.__annotations__["return"] = annotation
    return given


class Partly(TypedDict):
    a: int
    b: NotRequired[int]


class Twice(NamedTuple):
    a: Annotated[int, "same"]
    b: Annotated[int, "same"]


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (Twice, "same artifact 'same'"),
        (tuple[Annotated[int, "a"], Annotated[str, "a"]], "same name 'a'"),
        (Annotated[int, "a", Artifact("b")], "named more than once"),
        (Annotated[int, Artifact], "without a name"),
    ],
)
def test_what_can_not_be_declared_is_refused(annotation: Any, message: str) -> None:
    with pytest.raises(InvalidPipeline, match=message) as caught:
        declared_outputs(returns(None, annotation))
    assert caught.value.hint
    assert "given" in str(caught.value.where)


def test_an_output_that_may_be_missing_is_refused() -> None:
    class Optional(TypedDict, total=False):
        b: int

    with pytest.raises(InvalidPipeline, match=r"'b' of .*Optional may be missing"):
        declared_outputs(returns(None, Optional))


@pytest.mark.parametrize(
    ("annotation", "value", "found"),
    [
        (Split, ([], []), "declares a Split but returned a tuple"),
        (Split, None, "declares a Split but returned a NoneType"),
        (Scores, {"loss": 1.0}, "returned a dict without 'accuracy'"),
        (Scores, {"loss": 1.0, "accuracy": 1.0, "x": 1}, "returned a dict with 'x' in it"),
        (Fitted, {"model": 1}, "declares a Fitted but returned a dict"),
        (tuple[int, int], (1, 2, 3), "declares 2 outputs but returned 3 values"),
        (tuple[int, int], 1, "declares 2 outputs but returned a int"),
    ],
)
def test_what_a_step_returns_otherwise_than_declared_fails_and_says_how(
    annotation: Any, value: Any, found: str, client: Client
) -> None:
    mismatched = step(name="mismatched")(returns(value, annotation))

    @pipeline
    def mismatching() -> None:
        mismatched()

    with pytest.raises(InvalidPipeline, match=f"step 'mismatched' .*{found}") as caught:
        mismatching()
    assert caught.value.hint


def test_tags_and_metadata_are_there_with_the_version_and_said_once(client: Client) -> None:
    run = study(3)
    model = run.steps["fit"].outputs["model"]
    assert (model.name, model.tags, model.annotations) == ("model", ("candidate",), {"kind": "linear"})
    assert client.artifact("accuracy@headline").load() == 3.0
    recorded = [one for one in client.events() if one.event.TYPE in ("tags.added/1", "metadata.set/1")]
    completed = [one for one in client.events() if one.event.made and model.content in one.event.refs]
    assert {one.time_us for one in recorded[:1]} <= {one.time_us for one in client.events()}
    assert completed[0].seq < recorded[-1].seq < run.ended_seq
    study(3)
    assert len(recorded) == len(
        [one for one in client.events() if one.event.TYPE in ("tags.added/1", "metadata.set/1")]
    )


def test_a_label_declared_later_is_put_on_what_the_cache_serves(client: Client) -> None:
    def made(declared: Artifact) -> Any:
        def make() -> int:
            return 7

        make.__annotations__["return"] = Annotated[int, declared]

        @pipeline
        def making() -> None:
            step(version="1")(make)()

        return making()

    assert made(Artifact("seven")).steps["make"].output.tags == ()
    again = made(Artifact("seven", tags=["lucky"], metadata={"odd": True})).steps["make"]
    assert (again.is_cached, again.output.tags, again.output.annotations) == (True, ("lucky",), {"odd": True})


class Packed(Materializer[Any]):
    format = "test.packed/1"
    types = ("test.Packed",)

    def save(self, value: Any, parts: PartWriter) -> Any:
        parts.buffer("data", msgpack.packb(value))
        return None

    def load(self, head: Any, parts: PartReader) -> Any:
        return msgpack.unpackb(parts.buffer("data"))


@step
def packed() -> Annotated[dict[str, int], Artifact("packed", materializer=Packed)]:
    return {"a": 1}


@step
def unpacked() -> Annotated[dict[str, int], Artifact("packed")]:
    return {"a": 1}


def test_a_materializer_chosen_for_an_output_saves_it_and_counts_in_the_fingerprint(client: Client) -> None:
    @pipeline
    def packing() -> None:
        packed()
        unpacked()

    run = packing()
    one, other = run.steps["packed"], run.steps["unpacked"]
    assert (one.output.format, one.output.load()) == ("test.packed/1", {"a": 1})
    assert other.output.format == "python.plain/1"
    assert (lineal.load("packed@1"), packing().steps["packed"].is_cached) == ({"a": 1}, True)
    assert declared_outputs(packed.function).causes != declared_outputs(unpacked.function).causes


class Taken(Packed):
    format = "python.plain/1"


@pytest.mark.parametrize(
    ("declare", "error"),
    [
        (lambda: Artifact("a@1"), InvalidName),
        (lambda: Artifact("a", tags=["x@y"]), InvalidName),
        (lambda: Artifact("a", tags="candidate"), InvalidPipeline),
        (lambda: Artifact("a", metadata={"x": object()}), UnsavableValue),
        (lambda: Artifact("a", materializer=dict), InvalidPipeline),  # type: ignore[arg-type]
        (lambda: Artifact("a", materializer=Taken), Invalid),
    ],
)
def test_what_can_not_be_said_of_an_artifact_is_refused_where_it_is_declared(
    declare: Callable[[], Artifact], error: type[Exception]
) -> None:
    with pytest.raises(error):
        declare()


def test_the_class_that_outputs_are_declared_by_is_part_of_the_code() -> None:
    symbols = code_manifest(fit.function).entries
    assert any(symbol.startswith("class:") and symbol.endswith(":Fitted") for symbol in symbols)


def test_what_is_more_than_its_fields_is_not_taken_apart(client: Client) -> None:
    @pipeline
    def hiding() -> None:
        held = Fitted(step(lambda: 1, name="one")())  # type: ignore[arg-type,call-overload]
        object.__setattr__(held, "cached", 1)
        describe(held, {"loss": 1.0, "accuracy": 1.0})

    with pytest.raises(InvalidPipeline, match="'fitted' of step 'describe'"):
        hiding()


@dataclass
class Normalised:
    text: str
    length: int = field(init=False)

    def __post_init__(self) -> None:
        self.text = self.text.strip() + "!"
        self.length = len(self.text)


@step
def normalise(text: str) -> Normalised:
    return Normalised(text)


@step
def show(value: Normalised) -> str:
    return f"{value.text} {value.length}"


def test_a_dataclass_of_outputs_is_put_together_without_being_made_anew(client: Client) -> None:
    @pipeline
    def normalising() -> None:
        show(normalise(" a "))

    assert normalising().steps["show"].output.load() == "a! 2"
