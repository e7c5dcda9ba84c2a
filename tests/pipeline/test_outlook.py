"""Steps that are looked up many at a time: each is served with what it would be if it were looked up in its turn."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

import lineal
from lineal import Client, pipeline, step
from lineal.cas import BlobStore
from lineal.events.catalogue import RunStarted, StepCompleted, StepReused
from lineal.events.codec import Recorded
from lineal.history import RunView
from lineal.pipeline.deciding.outlook import Outlook
from lineal.pipeline.deciding.preparing import Preparer
from lineal.pipeline.graph.agenda import Agenda
from lineal.pipeline.running.session import Session

STEPS = 40
doings: list[Callable[[], object]] = []


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    doings.clear()


@step(version="1")
def made(x: int) -> int:
    return x + 1000


@step(version="1")
def after(x: int) -> int:
    return -x


@step(version="1", cache="off")
def do(x: int) -> None:
    for one in doings:
        one()


@step(version="1", ignore_inputs=["note"])
def noted(x: int, note: str) -> int:
    return x


@step(version="1")
def large(x: int) -> np.ndarray:
    return np.arange(x, x + 40_000)


@step(version="1")
def scaled(x: int) -> int:
    return x * lineal.load("factor")  # type: ignore[no-any-return]


@pipeline
def many() -> None:
    for x in range(STEPS):
        made(x)


@pipeline
def interrupted_by_doing() -> None:
    for x in range(STEPS):
        if x == 5:
            do(x)
        made(x)


@pipeline
def chains() -> None:
    for x in range(STEPS):
        after(made(x))


def statuses(run: RunView) -> dict[str, str]:
    return {name: found.status for name, found in run.steps.items()}


def test_all_steps_that_were_executed_are_served(client: Client) -> None:
    first, second = many(), many()
    assert set(statuses(first).values()) == {"completed"}
    assert set(statuses(second).values()) == {"cached"}
    for name, found in second.steps.items():
        assert found.reuses == first.steps[name]
        assert found.output.load() == first.steps[name].output.load()


def test_what_was_collected_by_a_step_that_executes_is_not_served_to_those_after_it(client: Client) -> None:
    first = interrupted_by_doing()
    lost = first.steps["made_9"].output.content

    def collect() -> None:
        client.release(f"{first.steps['made_9'].output.name}@1")
        client.collect(grace_s=0)

    doings.append(collect)
    second = interrupted_by_doing()
    found = statuses(second)
    assert found.pop("do") == found.pop("made_9") == "completed"
    assert set(found.values()) == {"cached"}
    assert client.store.blobs.holds(lost)


def test_a_step_is_served_with_what_one_before_it_in_the_run_has_made_anew(client: Client) -> None:
    many()

    @pipeline
    def refreshing() -> None:
        for x in range(STEPS):
            made(x)
        made.with_options(cache="refresh", name="again")(7)
        for x in range(STEPS):
            made(x)

    run = refreshing()
    assert statuses(run)["again"] == "completed"
    assert run.steps[f"made_{STEPS + 8}"].reuses == run.steps["again"]


def test_of_steps_whose_bytes_are_gone_those_execute_anew_and_no_others(client: Client) -> None:
    all_large = pipeline(lambda: [large(x) for x in range(STEPS)], name="all-large")
    first = all_large()
    lost = [first.steps[name].output.load().tobytes() for name in ("large_3", "large_17")]
    for path in (client.path / "blobs").rglob("*"):
        if path.is_file() and path.read_bytes() in lost:
            path.unlink()
    found = statuses(all_large())
    assert sorted(name for name, status in found.items() if status == "completed") == ["large_17", "large_3"]
    assert set(found.values()) == {"completed", "cached"}


def test_no_step_is_served_that_loaded_what_is_another_by_now(client: Client) -> None:
    client.save(2, "factor")
    all_scaled = pipeline(lambda: [scaled(x) for x in range(STEPS)], name="all-scaled")
    all_scaled()
    assert set(statuses(all_scaled()).values()) == {"cached"}
    client.save(3, "factor")
    again = all_scaled()
    assert set(statuses(again).values()) == {"completed"}
    assert [one.output.load() for one in again.steps.values()] == [3 * x for x in range(STEPS)]


def test_no_step_is_served_whose_result_has_expired(client: Client) -> None:
    brief = made.with_options(expires_after=0)
    passing = pipeline(lambda: [brief(x) for x in range(STEPS)], name="passing")
    passing()
    found = passing()
    assert set(statuses(found).values()) == {"completed"}


def test_no_step_is_served_from_a_store_that_is_not_trusted(tmp_path: Path) -> None:
    with lineal.open(tmp_path / "theirs") as theirs:
        many()
        theirs.export_bundle(tmp_path / "bundle")
    with lineal.open(tmp_path / "ours") as ours:
        ours.import_bundle(tmp_path / "bundle")
        assert set(statuses(many()).values()) == {"completed"}
        assert set(statuses(many()).values()) == {"cached"}


def test_what_is_served_is_recorded_in_the_order_of_the_calls(client: Client) -> None:
    chains()
    run = chains()
    recorded = [one.event for one in client.events() if isinstance(one.event, StepReused)]
    assert [event.step for event in recorded if event.run == run.id] == list(run.steps)


def test_a_literal_that_does_not_count_comes_along_though_another_run_has_it_collected(client: Client) -> None:
    def noting(note: str) -> RunView:
        @pipeline
        def notes() -> None:
            for x in range(STEPS):
                noted(x, note)

        return notes()

    noting("first")
    blobs: BlobStore = client.store.blobs
    plan = pipeline(lambda: [noted(x, "second") for x in range(STEPS)])
    graph = plan.graph()
    agenda, session = Agenda(graph.nodes), Session(client.store)
    preparer: Preparer = session.preparer
    outlook = Outlook(client.store, agenda, {}, session.cache, preparer, lambda node: preparer.prepare(node, {}))
    node = agenda.next_ready()
    assert node is not None
    client.save("second", "second")
    client.store.flush()
    ready = outlook.ready(node)
    assert outlook.served(ready) is not None
    assert client.artifact("second").content in {blob.digest for blob in ready.blobs}
    assert blobs.holds(client.artifact("second").content)


def test_nothing_executes_before_it_is_durable_that_its_run_began(client: Client) -> None:
    found: list[bool] = []

    def look() -> None:
        newest: list[Recorded] = [client.store.log.get(seq) for seq in range(1, client.store.log.head().seq + 1)]
        found.append(sum(isinstance(one.event, RunStarted) for one in newest) == len(found) + 1)

    doings.append(look)

    @pipeline
    def looking() -> None:
        do(1)

    looking()
    looking()
    assert found == [True, True]


def test_a_run_in_which_all_is_served_is_durable_when_it_returns(client: Client) -> None:
    many()
    for _ in range(3):
        run = many()
        log = client.store.log
        newest = log.get(log.head().seq)
        assert (newest.stream, newest.type) == (run.id, "run.completed/1")
    assert sum(isinstance(one.event, StepCompleted) for one in client.events()) == STEPS


def test_a_literal_is_there_for_who_executes_though_who_was_given_it_first_has_its_turn_later(client: Client) -> None:
    @step
    def double(x: int) -> int:
        return 2 * x

    @step
    def add(x: int, y: int) -> int:
        return x + y

    @pipeline
    def looped() -> None:
        for x in (1, 2, 3, 77):
            add(double(x), 77)

    sums = [view.output.load() for name, view in looped().steps.items() if name.startswith("add")]
    assert sums == [79, 81, 83, 231]


@step(version="1")
def joined(left: int, right: int, by: int) -> int:
    return left * 3 + right + by


Call = tuple[str, int, int, int]
CALLS = st.tuples(st.sampled_from(["made", "joined"]), *[st.integers(0, 4)] * 3)
"""Of a step: with a literal, or with outputs of calls before it and a literal."""


def outcomes(calls: list[Call], make: Callable[..., object], join: Callable[..., object]) -> list[object]:
    found: list[object] = []
    for name, left, right, literal in calls:
        ends = [found[at % len(found)] for at in (left, right)] if found else [left, right]
        found.append(make(literal) if name == "made" else join(*ends, literal))
    return found


@settings(max_examples=examples(25))
@given(
    st.lists(st.lists(CALLS, min_size=3, max_size=12), min_size=1, max_size=3),
    st.sampled_from(["inline", ("threads", 2)]),
)
def test_a_pipeline_of_any_shape_gives_what_plain_calls_give_in_a_store_that_has_some_of_it(
    runs: list[list[Call]], executor: str | tuple[str, int]
) -> None:
    with tempfile.TemporaryDirectory() as folder, lineal.open(folder):
        for calls in runs:

            @pipeline
            def shaped(calls: list[Call] = calls) -> None:
                outcomes(calls, made, joined)

            expected = outcomes(calls, lambda x: x + 1000, lambda left, right, by: left * 3 + right + by)
            run = shaped.with_options(executor=executor)()
            found = sorted(view.output.load() for view in run.steps.values())
            assert found == sorted(expected)  # type: ignore[type-var]
