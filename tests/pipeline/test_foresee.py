"""Foreseeing a run: a plan says what the run then does, and leaves nothing behind."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from depth import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lineal
from lineal import Client, pipeline, step
from lineal.errors import InvalidPipeline
from lineal.history import RunView

FLOW = """
    from lineal import pipeline, step

    K = {k}

    @step
    def source(n: int) -> int:
        return n % 2

    @step
    def double(x: int) -> int:
        return 2 * x + K

    @step(cache={cache})
    def total(x: int, y: int, weight: int) -> int:
        return (x + y) * weight

    @step
    def alone(n: int) -> int:
        return -n

    @pipeline
    def job(n: int = 1, weight: int = 1):
        x = source(n)
        total(double(x), double(source(n)), weight)
        total(alone(n), double(alone(n)), 0)
"""
STATUSES = {"hit": {"cached"}, "miss": {"completed"}, "unknown": {"cached", "completed"}}

Project = Callable[[dict[str, str]], ModuleType]


def flow(project: Project, k: int = 1, cache: Any = None) -> ModuleType:
    return project({"flow.py": FLOW.format(k=k, cache=repr(cache))})


def hold(client: Client, forecast: Any, run: RunView) -> None:
    """Each step became what was foreseen, and for the reasons that were foreseen."""
    assert {foreseen.name for foreseen in forecast} == set(run.steps)
    for foreseen in forecast:
        actual = run.steps[foreseen.name]
        assert (foreseen.verdict == "unknown") is bool(foreseen.waits_for)
        assert all(forecast[name].reuses is None for name in foreseen.waits_for)
        if [reason.kind for reason in foreseen.reasons] == ["evicted"] and actual.is_cached:
            # Something else of the run happened to give the bytes that were gone.
            executed = [one.output.content for one in run.steps.values() if one.status == "completed"]
            assert actual.output.content in executed
            continue
        assert actual.status in STATUSES[foreseen.verdict], (foreseen, actual.why())
        told = actual.why()
        if foreseen.reuses is not None:
            assert (foreseen.reuses, foreseen.reasons) == (told.reuses, ())
        if foreseen.verdict == "miss" and foreseen.compared_with == told.compared_with:
            kinds = [reason.kind for reason in told.reasons if reason.kind in ("code", "off", "refresh", "evicted")]
            assert [one.kind for one in foreseen.reasons if one.kind in kinds] == kinds


def traces(folder: Path) -> set[str]:
    """All files of a store, with their sizes."""
    found = {str(path): path.stat().st_size for path in folder.rglob("*") if path.is_file() and "log" not in path.parts}
    return {f"{path} {size}" for path, size in found.items()}


def test_a_first_run_is_foreseen_and_nothing_is_left_behind(client: Client, project: Project) -> None:
    job = flow(project).job
    client.flush()
    before, head = traces(client.path), client.head
    forecast = job.plan()
    client.flush()
    assert (client.head, traces(client.path)) == (head, before)
    assert [foreseen.verdict for foreseen in forecast][:2] == ["miss", "miss"]
    assert forecast["source"].expected is None
    assert "first run of flow.source" in str(forecast)
    assert json.loads(json.dumps(forecast.to_dict()))["pipeline"] == "job"
    hold(client, forecast, job())


def test_a_large_literal_leaves_nothing_behind_either(client: Client) -> None:
    @step
    def take(array: np.ndarray) -> float:
        return float(array.sum())

    @pipeline
    def taking(value: int):
        take(np.full(1_000_000, value))

    taking(1)
    client.flush()
    before, head = traces(client.path), client.head
    assert taking.plan(1)["take"].verdict == "hit"
    foreseen = taking.plan(2)["take"]
    assert (foreseen.verdict, foreseen.reasons[0].what) == ("miss", "array")
    assert (client.head, traces(client.path)) == (head, before)


def test_an_edit_is_foreseen_with_its_diff_and_so_is_what_it_decides_further_on(
    client: Client, project: Project
) -> None:
    flow(project).job()
    job = flow(project, k=5).job
    forecast = job.plan()
    assert (forecast["source"].verdict, forecast["double"].verdict) == ("hit", "miss")
    (reason,) = forecast["double"].reasons
    assert (reason.what, reason.old, reason.new) == ("value:flow:K", "K = 1", "K = 5")
    assert (forecast["total"].verdict, forecast["total"].waits_for) == ("unknown", ("double", "double_2"))
    hold(client, forecast, job())


def test_early_cutoff_is_foreseen_as_what_may_run(client: Client, project: Project) -> None:
    job = flow(project).job
    job(1)
    forecast = job.plan(3)  # Other parameter, same output.
    assert (forecast["source"].verdict, forecast["double"].verdict) == ("miss", "unknown")
    run = job(3)
    assert run.steps["double"].is_cached
    hold(client, forecast, run)


def test_new_code_runs_whatever_its_inputs_will_be(client: Client, project: Project) -> None:
    flow(project).job()
    text = FLOW.format(k=1, cache=None).replace("* weight", "* weight + 1").replace("n % 2", "n % 3")
    job = project({"flow.py": text}).job
    forecast = job.plan()
    assert (forecast["source"].verdict, forecast["total"].verdict) == ("miss", "miss")
    assert "+    return (x + y) * weight + 1" in forecast["total"].reasons[0].diff
    hold(client, forecast, job())


def test_time_and_bytes_are_expected_from_earlier_executions(client: Client, project: Project) -> None:
    job = flow(project).job
    for n in range(4):
        job(n)
    expectation = job.plan(9)["alone"].expected
    assert expectation is not None
    assert expectation.executions == 4
    took = sorted(run.steps["alone"].duration_s or 0 for run in client.runs())
    assert took[0] <= expectation.duration_s <= took[-1]
    assert expectation.size_bytes == next(client.runs()).steps["alone"].output.size_bytes
    assert "(4x)" in str(job.plan(9))


def test_wrong_arguments_are_refused_as_by_a_call(client: Client, project: Project) -> None:
    with pytest.raises(InvalidPipeline):
        flow(project).job.plan(m=1)


def test_what_expires_at_once_is_not_foreseen_to_be_shared(client: Client, project: Project) -> None:
    job = flow(project).job.with_options(expires_after=0)
    for _ in range(2):
        forecast = job.plan()
        assert {foreseen.verdict for foreseen in forecast} <= {"miss", "unknown"}
        hold(client, forecast, job())
    assert forecast["source"].reasons[0].kind == "expired"


def test_steps_that_compute_the_same_at_the_same_time_share_it_if_both_may(client: Client, project: Project) -> None:
    job = flow(project).job.with_options(executor="threads")
    assert job.plan()["source_2"].shares == "source"
    hold(client, job.plan(), job())
    forced = job.with_options(steps={"source": {"cache": "refresh"}})
    assert [forced.plan()[name].verdict for name in ("source", "source_2")] == ["miss", "miss"]


def test_calls_of_a_map_are_foreseen_as_far_as_what_it_maps_over_is_known(client: Client) -> None:
    @step
    def numbers(n: int) -> list:
        return list(range(n))

    @step
    def square(x: int) -> int:
        return x * x

    @step
    def added(xs: list) -> int:
        return sum(xs)

    @pipeline
    def mapping(n: int):
        added(square.map(numbers(n)))

    forecast = mapping.plan(2)
    assert [(one.name, one.verdict) for one in forecast] == [("numbers", "miss"), ("square", "miss"), ("added", "miss")]
    mapping(2)
    forecast = mapping.plan(2)
    assert [(one.name, one.verdict) for one in forecast] == [
        ("numbers", "hit"),
        ("square[0]", "hit"),
        ("square[1]", "hit"),
        ("added", "hit"),
    ]
    hold(client, forecast, mapping(2))
    assert [one.verdict for one in mapping.plan(3)] == ["miss", "unknown", "unknown"]


MODES = ["off", "refresh", "read-only"]
ACTIONS = st.one_of(
    st.tuples(st.just("run"), st.integers(0, 3), st.integers(1, 2)),
    st.tuples(st.just("edit"), st.integers(1, 2), st.sampled_from([None, True, *MODES])),
    st.tuples(
        st.just("policy"), st.sampled_from(["on", "off", "refresh", "read-only"]), st.sampled_from([None, 0, 60])
    ),
    st.tuples(st.just("evict"), st.integers(0, 20), st.none()),
)


@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(ACTIONS, min_size=3, max_size=8))
def test_a_plan_says_what_the_run_then_does(
    history: list[tuple[Any, ...]], project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with lineal.open(tmp_path_factory.mktemp("history") / "store") as client:
        k: int = 1
        cache: Any = None
        options: dict[str, Any] = {}
        module = flow(project)
        for kind, first, second in history:
            if kind == "edit":
                k, cache = first, second
                os.utime(module.__file__ or "", (0, 0))
                module = flow(project, k, cache)
            elif kind == "policy":
                options = {"cache": first, "expires_after": second}
            elif kind == "evict":
                names = [str(version) for one in client.artifacts() for version in one.versions]
                if names:
                    client.release(names[first % len(names)])
                    client.collect(grace_s=0)
            else:
                job = module.job.with_options(**options)
                forecast = job.plan(first, second)
                hold(client, forecast, job(first, second))
