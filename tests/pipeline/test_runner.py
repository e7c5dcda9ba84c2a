"""Runs: what executes, what is reused, what is recorded, and what is left when something goes wrong."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pytest

import lineal
from lineal import Client, pipeline, step
from lineal.errors import InvalidPipeline, LinealError, StepFailed, StoreFull, UnsavableValue
from lineal.events import catalogue as facts
from lineal.in_force import OtherStoreWarning

calls: list[str] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


@step
def numbers(n: int) -> np.ndarray:
    """Count."""
    calls.append("numbers")
    return np.arange(n, dtype=np.float64)


@step
def scale(values: np.ndarray, by: float = 2.0) -> Annotated[np.ndarray, "scaled"]:
    calls.append("scale")
    print("scaling by", by)
    values *= by
    return values


@step
def total(values: np.ndarray) -> float:
    calls.append("total")
    return float(values.sum())


@pipeline
def chain(n: int, by: float = 2.0):
    """Scale and add."""
    values = numbers(n)
    scaled = scale(values, by=by)
    total(scaled)
    return total(values)


def test_a_run_executes_every_step_and_records_what_happened(client: Client) -> None:
    run = chain(4, by=3.0)
    assert calls == ["numbers", "scale", "total", "total"]
    assert (run.status, run.name, run.parameters) == ("completed", "chain-1", {"n": 4, "by": 3.0})
    assert {name: view.status for name, view in run.steps.items()} == dict.fromkeys(
        ["numbers", "scale", "total", "total_2"], "completed"
    )
    scaled = run.steps["scale"]
    assert scaled.outputs["scaled"].load().tolist() == [0, 3, 6, 9]
    assert (scaled.parameters, scaled.log) == ({"by": 3.0}, "scaling by 3.0\n")
    assert list(scaled.inputs) == ["values"]
    assert [parent.name for parent in scaled.parents] == ["numbers"]
    assert run.steps["total"].output.load() == 18.0


def test_what_a_step_does_to_its_input_in_place_reaches_no_other_step(client: Client) -> None:
    run = chain(4)
    assert run.steps["total_2"].output.load() == 6.0
    assert run.steps["numbers"].output.load().tolist() == [0, 1, 2, 3]


def test_a_second_run_executes_nothing_and_says_what_it_reuses(client: Client) -> None:
    first = chain(4)
    calls.clear()
    second = chain(4)
    assert calls == []
    assert [view.status for view in second.steps.values()] == ["cached"] * 4
    reused = second.steps["scale"].reuses
    assert reused is not None
    assert reused.id == first.steps["scale"].id
    assert second.steps["scale"].inputs == first.steps["scale"].inputs
    assert second.steps["scale"].outputs == first.steps["scale"].outputs


def test_only_what_a_changed_parameter_reaches_executes_again(client: Client) -> None:
    chain(4)
    calls.clear()
    chain(4, by=5.0)
    assert calls == ["scale", "total"]


def test_a_step_that_ran_again_with_an_equal_result_does_not_invalidate_what_follows(client: Client) -> None:
    chain(4, by=2.0)
    calls.clear()
    chain(4, by=2)
    assert calls == ["scale"]


def test_caching_is_off_where_it_is_said_to_be_and_the_narrower_word_counts(client: Client) -> None:
    chain(4)
    calls.clear()
    chain.with_options(cache=False)(4)
    assert calls == ["numbers", "scale", "total", "total"]
    calls.clear()

    @pipeline
    def mixed() -> None:
        total.with_options(cache=False)(numbers(4))

    mixed()
    assert calls == ["total"]


def test_a_hit_never_lies_it_is_only_served_if_its_blobs_are_there(client: Client) -> None:
    @pipeline
    def large() -> None:
        numbers(10_000)

    run = large()
    (part,) = run.steps["numbers"].output.manifest.named()
    path = client.store.blobs.files.path(part.digest)
    path.unlink()
    calls.clear()
    again = large()
    assert calls == ["numbers"]
    assert again.steps["numbers"].output.load().shape == (10_000,)
    os.truncate(path, 10)
    calls.clear()
    large()
    assert calls == ["numbers"]


def test_identical_steps_of_one_run_execute_once(client: Client) -> None:
    @pipeline
    def twins() -> None:
        numbers(3)
        numbers(3)

    run = twins()
    assert calls == ["numbers"]
    assert [view.status for view in run.steps.values()] == ["completed", "cached"]


def test_ignored_inputs_do_not_count_and_a_version_stands_for_the_code(client: Client) -> None:
    def first() -> Any:
        def work(x: int, verbose: bool = False) -> int:
            return x

        return work

    def edited() -> Any:
        def work(x: int, verbose: bool = False) -> int:
            return x + 0

        work.__qualname__ = first().__qualname__
        return work

    def other(x: int, verbose: bool = False) -> int:
        return x

    def executed(function: Any, version: str | None, verbose: bool = False) -> bool:
        @pipeline
        def one_step() -> None:
            step(name="s", ignore_inputs=["verbose"], version=version)(function)(1, verbose=verbose)

        return not one_step().steps["s"].is_cached

    assert executed(first(), "1")
    assert not executed(first(), "1", verbose=True)
    assert not executed(edited(), "1")
    assert executed(other, "1")
    assert executed(first(), "2")
    assert executed(edited(), None)
    assert executed(first(), None)


def test_gathered_outputs_arrive_in_their_places(client: Client) -> None:
    @step
    def show(values: list[Any], named: dict[str, Any], *rest: Any, **more: Any) -> str:
        return repr((values, named, rest, more))

    @step
    def one() -> int:
        return 1

    @pipeline
    def gathering() -> None:
        x = one()
        show([x, (x, 2)], {"k": x, "l": [3]}, x, 4, z=x)

    expected = ([1, (1, 2)], {"k": 1, "l": [3]}, (1, 4), {"z": 1})
    assert gathering().steps["show"].output.load() == repr(expected)


@step
def failing(x: float) -> float:
    print("about to fail")
    raise KeyError("no such thing")


@pipeline
def broken(n: int = 3) -> None:
    values = numbers(n)
    total(failing(total(values)))


def test_a_failure_is_raised_recorded_with_traceback_and_output_and_what_follows_is_skipped(client: Client) -> None:
    with pytest.raises(StepFailed, match="KeyError: 'no such thing'") as caught:
        broken()
    assert isinstance(caught.value.__cause__, KeyError)
    (run,) = client.runs()
    assert run.status == "failed"
    assert run.message is not None
    assert "failing" in run.message
    statuses = {name: view.status for name, view in run.steps.items()}
    assert statuses == {"numbers": "completed", "total": "completed", "failing": "failed", "total_2": "skipped"}
    failure = run.steps["failing"].failure
    assert failure is not None
    assert failure.type == "KeyError"
    assert 'raise KeyError("no such thing")' in failure.traceback
    assert "lineal/pipeline" not in failure.traceback
    assert run.steps["failing"].log == "about to fail\n"


def test_a_failed_step_executes_again_and_what_was_done_before_it_does_not(client: Client) -> None:
    executed = []
    for _ in range(2):
        with pytest.raises(StepFailed):
            broken()
        executed.append(list(calls))
        calls.clear()
    assert executed == [["numbers", "total"], []]


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda: sys.stdout, UnsavableValue, "output 'output' of step 's'"),
        (lambda: {"model": {"stream": sys.stdout}}, UnsavableValue, "stream"),
    ],
)
def test_an_output_that_can_not_be_saved_is_a_clear_typed_error(
    client: Client, function: Any, error: type[LinealError], message: str
) -> None:
    @pipeline
    def unsavable() -> None:
        step(name="s")(function)()

    with pytest.raises(error, match=message) as caught:
        unsavable()
    assert caught.value.hint
    (run,) = client.runs()
    assert (run.status, run.steps["s"].status) == ("failed", "failed")


def test_returning_another_number_of_values_than_declared_is_a_clear_error(client: Client) -> None:
    @step
    def two() -> tuple[int, int]:
        return (1, 2, 3)  # type: ignore[return-value]

    @step
    def none() -> None:
        return 3  # type: ignore[return-value]

    @pipeline
    def wrong(which: str) -> None:
        two() if which == "two" else none()

    with pytest.raises(InvalidPipeline, match="declares 2 outputs but returned 3"):
        wrong("two")
    with pytest.raises(InvalidPipeline, match="declared to return None but returned a int"):
        wrong("none")


def test_an_exit_inside_a_step_is_a_failure_of_the_step(client: Client) -> None:
    @step
    def leave() -> None:
        sys.exit(3)

    @pipeline
    def leaving() -> None:
        leave()

    with pytest.raises(StepFailed, match="SystemExit"):
        leaving()


def test_an_interrupt_leaves_a_clean_record_and_passes(client: Client) -> None:
    @step
    def interrupted() -> None:
        raise KeyboardInterrupt

    @pipeline
    def stopping() -> None:
        interrupted()

    with pytest.raises(KeyboardInterrupt):
        stopping()
    (run,) = client.runs()
    assert (run.status, run.message) == ("cancelled", "stopped by KeyboardInterrupt")
    assert run.steps["interrupted"].status == "cancelled"


def test_a_full_disk_is_a_typed_error_and_the_store_goes_on(client: Client) -> None:
    import resource

    @step
    def large() -> np.ndarray:
        return np.ones(1_000_000)

    @pipeline
    def filling() -> None:
        large()

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (client.path / "log" / "data.mdb").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(size + (1 << 20), 4 << 20), hard))
    try:
        with pytest.raises(StoreFull):
            filling()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    (run,) = client.runs()
    assert run.status == "failed"
    assert filling().status == "completed"


def test_what_a_full_disk_cut_short_is_not_taken_for_stored(client: Client) -> None:
    import resource

    first, second = (np.random.default_rng(seed).bytes(5_000_000) for seed in (1, 2))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    @step
    def pair() -> tuple[bytes, bytes]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, hard))  # Which the log stays below.
        return first, second

    @pipeline
    def filling() -> None:
        pair()

    try:
        with pytest.raises(StoreFull):
            filling()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert client.verify().damages == ()
    client.save(first, "first")
    client.flush()
    assert client.load("first") == first


def test_threads_of_a_pool_that_was_passed_in_execute_and_the_pool_stays_open(client: Client) -> None:
    with ThreadPoolExecutor(2) as pool:
        run = chain.with_options(executor=pool)(4)
        assert pool.submit(int).result() == 0
    assert run.status == "completed"
    assert run.steps["total"].output.load() == 12.0


def test_all_or_nothing_a_steps_outputs_completion_and_cache_entry_are_one_commit(client: Client) -> None:
    chain(3)
    for recorded in client.events():
        if not isinstance(recorded.event, facts.StepCompleted):
            continue
        past = client.as_of(recorded.seq - 1)
        with pytest.raises(LinealError):
            past.artifact(recorded.event.outputs[0].artifact + "@99")
        statuses = past.run(recorded.event.run).steps[recorded.event.step].status
        assert statuses == "running"
        now = client.as_of(recorded.seq)
        assert now.run(recorded.event.run).steps[recorded.event.step].status == "completed"


def test_the_store_in_force_is_the_enclosing_one(tmp_path: Path) -> None:
    with lineal.open(tmp_path / "outer") as outer:
        with lineal.open(tmp_path / "inner") as inner:
            chain(2)
            assert len(list(inner.runs())) == 1
        assert list(outer.runs()) == []
    chain(2)
    assert (tmp_path / ".lineal" / "FORMAT").exists()
    assert [run.name for run in lineal.runs()] == ["chain-1"]


def test_who_opened_another_store_is_told_where_a_run_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lineal.open(tmp_path / "read", read_only=False) as made:
        other = lineal.open(tmp_path / "other")
        chain(2)
        assert len(list(made.runs())) == 1
    looked_at = lineal.open(tmp_path / "read", read_only=True)
    with pytest.warns(OtherStoreWarning, match=rf"{tmp_path}/.lineal is used, not .* open at {tmp_path}/other"):
        chain(2)
    with pytest.warns(OtherStoreWarning):
        assert len(list(lineal.runs())) == 1
    found = lineal.open()
    chain(2)
    found.close()
    with pytest.warns(OtherStoreWarning):
        lineal.save(1, "one")
    other.close()
    chain(2)
    looked_at.close()
    again = lineal.open(tmp_path / "other")
    monkeypatch.setenv("LINEAL_STORE", str(tmp_path / "chosen"))
    chain(2)
    again.close()


class Ref(NamedTuple):
    value: Any


class Held:
    def __init__(self, value: Any) -> None:
        self.value = value


@step
def one() -> int:
    return 1


@step
def form_of(xs: Any) -> str:
    return repr(xs)


def test_what_outputs_are_gathered_in_is_a_cause(client: Client) -> None:
    @pipeline
    def forms() -> None:
        form_of([one()])
        form_of((one(),))
        form_of({0: one()})
        form_of({0.0: one()})
        form_of({"a": one(), "b": 2})
        form_of({"b": 2, "a": one()})
        form_of([[one()], 2])
        form_of([[one(), 2]])

    expected = ["[1]", "(1,)", "{0: 1}", "{0.0: 1}", "{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}", "[[1], 2]", "[[1, 2]]"]
    for is_cached in (False, True):
        views = [view for name, view in forms().steps.items() if name.startswith("form_of")]
        assert [view.output.load() for view in views] == expected
        assert [view.is_cached for view in views] == [is_cached] * len(expected)


def test_an_input_that_is_ignored_counts_in_no_form(client: Client) -> None:
    quiet = step(ignore_inputs=["xs"])(form_of.function)

    @pipeline
    def ignoring() -> None:
        quiet([one()])
        quiet((one(),))

    assert [view.is_cached for name, view in ignoring().steps.items() if "form" in name] == [False, True]


def test_each_step_of_a_loop_gets_the_literal_as_it_was_then(client: Client) -> None:
    @pipeline
    def sweep() -> None:
        config = {}
        for rate in (0.1, 0.2, 0.3):
            config["rate"] = rate
            form_of(config)

    assert [view.output.load() for view in sweep().steps.values()] == [f"{{'rate': {r}}}" for r in (0.1, 0.2, 0.3)]


@pytest.mark.parametrize("hide", [lambda ref: {ref}, lambda ref: frozenset([ref]), Held, lambda ref: {ref: 1}])
def test_an_output_hidden_in_another_value_is_refused_with_its_step_and_parameter(client: Client, hide: Any) -> None:
    @pipeline
    def hiding() -> None:
        form_of(hide(one()))

    with pytest.raises(InvalidPipeline, match="parameter 'xs' of step 'form_of': the output of step 'one'") as caught:
        hiding()
    assert "lists, tuples and the values of dicts" in str(caught.value.hint)


def test_a_literal_nested_in_itself_runs(client: Client) -> None:
    @pipeline
    def nested() -> None:
        ring: list[Any] = []
        ring.append(ring)
        form_of(ring)

    with lineal.open(client.path, allow_pickle=True):
        assert nested().steps["form_of"].output.load() == "[[...]]"
