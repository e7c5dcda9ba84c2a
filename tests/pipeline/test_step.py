"""Declaring steps and pipelines."""

from __future__ import annotations

import pytest

from lineal import Client, Pipeline, Step, pipeline, step
from lineal.errors import InvalidName, InvalidPipeline


@step
def plain(x: int) -> int:
    """Add one."""
    return x + 1


@step(name="renamed", cache=False, version="2", depends_on=["data.csv"], ignore_inputs=["y"])
def configured(x: int, y: int = 0) -> int:
    return x


@pipeline(name="project", cache=False)
def declared(n: int):
    """Declared with options."""
    plain(n)


def test_a_step_keeps_what_its_function_is_and_its_options() -> None:
    assert isinstance(plain, Step)
    assert (plain.name, plain.__doc__, plain.__wrapped__, plain(1)) == ("plain", "Add one.", plain.function, 2)
    options = configured.options
    assert (configured.name, options.policy.mode, options.version) == ("renamed", "off", "2")
    assert (options.depends_on, options.ignore_inputs) == (("data.csv",), frozenset({"y"}))


def test_with_options_changes_a_copy() -> None:
    changed = configured.with_options(name="other", cache=True)
    assert (changed.name, changed.options.policy.mode, changed.options.version) == ("other", "on", "2")
    assert (configured.name, configured.options.policy.mode) == ("renamed", "off")


def test_a_pipeline_keeps_its_options_and_runs_under_its_name(client: Client) -> None:
    assert isinstance(declared, Pipeline)
    assert (declared.name, declared.__doc__) == ("project", "Declared with options.")
    first = declared(1)
    second = declared.with_options(cache="refresh", run_name="mine")(1)
    assert (first.name, second.name, second.pipeline.name) == ("project-1", "mine", "project")
    assert [run.steps["plain"].is_cached for run in (first, second)] == [False, False]
    assert [run.steps["plain"].is_cached for run in (declared(1), declared.with_options(cache=True)(1))] == [
        False,
        True,
    ]


def test_pipelines_inside_run_under_their_own_policy_and_options(client: Client) -> None:
    @pipeline
    def inner(n: int):
        return plain(plain.with_options(name="renamed", cache=True)(n))

    @pipeline
    def outer(n: int):
        first = inner.with_options(cache="refresh")(n)
        return inner.with_options(steps={"plain": {"cache": False}})(first)

    run = outer(1)
    assert list(run.steps) == ["inner.renamed", "inner.plain", "inner_2.renamed", "inner_2.plain"]
    assert run.steps["inner_2.plain"].output.load() == 5
    assert run.steps["inner_2.plain"].output.name == "outer.inner_2.plain.output"
    again = {name: view.is_cached for name, view in outer(1).steps.items()}
    assert again == {"inner.renamed": True, "inner.plain": False, "inner_2.renamed": True, "inner_2.plain": False}
    with pytest.raises(InvalidPipeline, match="options are given for 'nobody'"):
        pipeline(lambda: inner.with_options(steps={"nobody": {}})(1)).graph()


def test_what_can_not_be_a_step_or_a_pipeline_is_refused() -> None:
    for declare in (step, pipeline):
        with pytest.raises(InvalidPipeline, match="not a plain function"):
            declare(len)  # type: ignore[call-overload]
    with pytest.raises(InvalidName):
        _ = step(name="a/b")(lambda: 1).name


def test_the_content_of_a_declared_file_counts_as_code(client: Client) -> None:
    data = client.path.parent / "rows.csv"

    @step(depends_on=[str(data)])
    def count() -> int:
        return len(data.read_text().splitlines())

    @pipeline
    def counting() -> None:
        count()

    def run() -> tuple[bool, int]:
        counted = counting().steps["count"]
        return counted.is_cached, counted.output.load()

    data.write_text("a\nb\n")
    assert [run(), run()] == [(False, 2), (True, 2)]
    data.write_text("a\nb\nc\n")
    assert run() == (False, 3)


def test_functions_whose_call_only_begins_the_work_are_refused() -> None:
    def generator():
        yield 1

    async def async_generator():
        yield 1

    for function, kind in ((generator, "a generator"), (async_generator, "an async gen")):
        with pytest.raises(InvalidPipeline, match=f"{function.__name__} is {kind}") as caught:
            step(function)
        assert "return" in str(caught.value.hint).lower()


def test_what_a_pipeline_was_called_with_is_recorded_as_it_was(client: Client) -> None:
    @pipeline
    def changing(config: dict) -> None:
        config["n"] += 1
        plain(config["n"])

    run = changing({"n": 1})
    assert run.parameters == {"config": {"n": 1}}
    assert run.steps["plain"].parameters == {"x": 2}
