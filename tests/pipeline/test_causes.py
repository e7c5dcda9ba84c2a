"""Causes: what is captured once, what came out otherwise, and what somebody vouches to be the same."""

from __future__ import annotations

import time
from typing import Any

import pytest

import lineal
from lineal import Client, pipeline, step
from lineal.errors import InvalidReference, NotFound, RunNotFound, StepFailed, StepNotFound
from lineal.events import catalogue as facts
from lineal.events.catalogue import Event
from lineal.events.ids import Fingerprint
from lineal.pipeline.deciding import captures


@step
def old(x: int) -> int:
    return x + 1


@step
def new(x: int) -> int:
    return 1 + x


@step
def newest(x: int) -> int:
    return x + 1 + 0


@step
def pair(x: int) -> tuple[int, int]:
    return x, x


@step
def ticking() -> int:
    return time.time_ns()


@step
def busy() -> int:
    end_ns = time.thread_time_ns() + 11_000_000
    while time.thread_time_ns() < end_ns:
        pass
    return 1


@step
def failing() -> int:
    raise ValueError("no")


@pipeline
def with_old(x: int = 1):
    old(x)


@pipeline
def with_new(x: int = 1):
    new(x)


@pipeline
def with_newest(x: int = 1):
    newest(x)


@pipeline
def with_pair():
    pair(1)


@pipeline
def clock():
    ticking()


@pipeline
def lasting():
    busy()


@pipeline
def broken():
    old(failing())


def codes_of(client: Client, *functions: str) -> list[facts.CodeCaptured]:
    captured = events_of(client, facts.CodeCaptured)
    return [code for code in captured if code.function.rpartition(".")[2] in functions]


def events_of(client: Client, *kinds: type[Event]) -> list[Any]:
    return [recorded.event for recorded in client.events() if isinstance(recorded.event, kinds)]


def test_an_environment_is_captured_once_and_code_once_for_each_function(client: Client) -> None:
    with_old()
    with_old(2)
    with_new()
    (environment,) = events_of(client, facts.EnvironmentCaptured)
    started = events_of(client, facts.RunStarted)
    assert {run.environment for run in started} == {environment.environment}
    codes = codes_of(client, "old", "new")
    assert [code.function.rpartition(".")[2] for code in codes] == ["old", "new"]
    completed = events_of(client, facts.StepCompleted)
    assert [code.code for code in codes] == list(dict.fromkeys(step.code for step in completed))
    pipelines = codes_of(client, "with_old", "with_new")
    assert [code.code for code in pipelines] == list(dict.fromkeys(run.code for run in started))


def test_what_was_captured_by_another_process_is_not_captured_again(client: Client) -> None:
    with_old()
    client.flush()
    captures._recorded.clear()
    with_old(2)
    assert len(events_of(client, facts.EnvironmentCaptured, facts.CodeCaptured)) == 3


def test_a_result_that_differs_from_the_one_before_is_said_to_diverge(client: Client) -> None:
    first = clock()
    assert first.steps["ticking"].divergence is None
    second = clock.with_options(cache=False)()
    divergence = second.steps["ticking"].divergence
    assert divergence is not None
    assert divergence.first.id == first.steps["ticking"].id
    (one,) = divergence.differences
    assert one == facts.Difference(
        "output", first.steps["ticking"].output.content, second.steps["ticking"].output.content
    )
    with_old()
    assert with_old.with_options(cache=False)().steps["old"].divergence is None
    assert client.as_of(client.head.seq).run(second.name).steps["ticking"].divergence == divergence


def test_an_execution_says_what_it_took_of_the_machine_and_a_reuse_does_not(client: Client) -> None:
    taken = lasting().steps["busy"].resources
    assert taken is not None
    assert 10_000 <= taken.cpu_us < 10_000_000
    assert 1_000_000 < taken.peak_memory_bytes < 1 << 40
    assert lasting().steps["busy"].resources is None


def test_results_of_its_own_go_before_those_of_an_equivalent(client: Client) -> None:
    before, after = with_old(), with_new()
    client.declare_equivalent("with_new-1/new", before.steps["old"], "only reordered")
    reused = with_new().steps["new"].reuses
    assert reused is not None
    assert reused.id == after.steps["new"].id


def equivalent(client: Client) -> Fingerprint:
    """Declare `new` of 5, which has no result in this store, to be as `old` of 5; give its fingerprint."""
    with lineal.open(client.path.with_name("other")):
        fingerprint = with_new(5).steps["new"].fingerprint
    assert fingerprint is not None
    client.declare_equivalent(fingerprint, with_old(5).steps["old"], "only reordered")
    return fingerprint


def test_a_fingerprint_without_results_is_served_from_its_equivalent_until_that_is_revoked(client: Client) -> None:
    fingerprint = equivalent(client)
    run = with_new(5)
    step_run = run.steps["new"]
    assert (step_run.status, step_run.fingerprint, step_run.output.load()) == ("cached", fingerprint, 6)
    assert step_run.reuses is not None
    assert step_run.reuses.name == "old"
    client.revoke_equivalent(fingerprint, "with_old-1/old")
    assert with_new(5).steps["new"].status == "completed"
    with pytest.raises(NotFound, match="not declared"):
        client.revoke_equivalent(fingerprint, "with_old-1/old")


def test_equivalence_goes_on_from_one_to_the_next_and_not_back(client: Client) -> None:
    fingerprint = equivalent(client)
    with lineal.open(client.path.with_name("other")):
        third = with_newest(5).steps["newest"].fingerprint
        with_old(5)
    assert third is not None
    client.store.append([facts.EquivalenceDeclared(third, fingerprint, "the same again")]).wait()
    client.store.append([facts.EquivalenceDeclared(fingerprint, third, "and in a circle")]).wait()
    reused = with_newest(5).steps["newest"].reuses
    assert reused is not None
    assert reused.name == "old"
    client.rebuild()
    assert with_newest(5).steps["newest"].is_cached
    assert client.run("with_old-1").steps["old"].fingerprint != third


def test_an_equivalent_with_other_outputs_is_not_served(client: Client) -> None:
    with lineal.open(client.path.with_name("other")):
        fingerprint = with_new(1).steps["new"].fingerprint
    assert fingerprint is not None
    client.declare_equivalent(fingerprint, with_pair().steps["pair"], "a mistake")
    assert with_new(1).steps["new"].status == "completed"


def test_a_declaration_that_can_not_be_meant_is_refused(client: Client) -> None:
    run = with_old()
    with pytest.raises(StepFailed):
        broken()
    unknown = Fingerprint(bytes(32))
    with pytest.raises(InvalidReference):
        client.declare_equivalent(run.steps["old"], "with_old-1/old", "the same")
    with pytest.raises(StepNotFound):
        client.declare_equivalent(run.steps["old"], unknown, "never executed")
    with pytest.raises(RunNotFound):
        client.declare_equivalent("nothing-1/old", run.steps["old"], "no such run")
    with pytest.raises(InvalidReference, match="skipped"):
        client.declare_equivalent("broken-1/old", run.steps["old"], "it has none")
    assert events_of(client, facts.EquivalenceDeclared) == []
