"""The cache policy: what is taken from the cache, and what is offered to later runs."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal import Client, pipeline, step
from lineal.errors import InvalidPipeline
from lineal.events.catalogue import StepStarted
from lineal.history import RunView
from lineal.pipeline.declaring.policy import UNSAID, CacheMode, Policy

MODES: list[CacheMode] = ["on", "off", "refresh", "read-only"]
calls: list[int] = []


@step(version="1")
def counted(x: int) -> int:
    calls.append(x)
    return x


@pipeline
def counting(x: int) -> None:
    counted(x)


def is_cached(run: RunView) -> bool:
    return run.steps["counted"].is_cached


@pytest.mark.parametrize(("first", "second"), list(itertools.product(MODES, MODES)))
def test_a_run_is_served_if_it_takes_results_and_the_one_before_offered_its_own(
    client: Client, first: CacheMode, second: CacheMode
) -> None:
    assert not is_cached(counting.with_options(cache=first)(1))
    expected = second in ("on", "read-only") and first in ("on", "refresh")
    assert is_cached(counting.with_options(cache=second)(1)) is expected


def test_a_refreshed_result_is_what_later_runs_are_served_with(client: Client) -> None:
    counting(1)
    refreshed = counting.with_options(cache="refresh")(1)
    assert counting(1).steps["counted"].reuses == refreshed.steps["counted"]


def test_what_a_step_says_wins_over_its_pipeline_and_what_is_said_for_one_step_of_a_call_over_both(
    client: Client,
) -> None:
    @pipeline(cache="off")
    def outer(x: int) -> None:
        counted.with_options(cache="on")(x)

    assert [is_cached(outer(1)) for _ in range(2)] == [False, True]
    assert not is_cached(outer.with_options(steps={"counted": {"cache": "refresh"}})(1))
    assert is_cached(outer.with_options(cache="refresh")(1))


def test_with_options_wins_over_the_decorator_of_the_same(client: Client) -> None:
    @pipeline(cache="off")
    def outer(x: int) -> None:
        counted(x)

    later = outer.with_options(cache="on")
    assert [is_cached(later(1)) for _ in range(2)] == [False, True]
    assert not is_cached(later.with_options(cache="off")(1))


def test_a_result_is_served_until_it_expires(client: Client) -> None:
    counting(1)
    assert is_cached(counting.with_options(expires_after=timedelta(days=1))(1))
    expired = counting.with_options(expires_after=0)(1)
    assert not is_cached(expired)
    assert is_cached(counting.with_options(expires_after=3600.0)(1))


def test_the_log_says_what_the_policy_had_against_taking_a_result(client: Client) -> None:
    said = [{}, {"cache": "off"}, {"cache": "refresh"}, {"expires_after": 0}]
    for options in said:
        counting.with_options(**options)(1)
    started = [found.event.because for found in client.events() if isinstance(found.event, StepStarted)]
    assert started == [None, "off", "refresh", "expired"]


def test_options_for_a_step_that_is_not_called_are_refused(client: Client) -> None:
    with pytest.raises(InvalidPipeline, match="options are given for 'countde'") as caught:
        counting.with_options(steps={"countde": {"cache": "off"}})(1)
    assert caught.value.hint == "Did you mean 'counted'?"
    assert list(client.runs()) == []


@pytest.mark.parametrize("wrong", ["never", 2, "ON"])
def test_an_unknown_policy_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidPipeline, match="no cache policy"):
        step(cache=wrong)(lambda: 1)  # type: ignore[call-overload]


def test_a_negative_age_is_refused() -> None:
    with pytest.raises(InvalidPipeline, match="negative"):
        pipeline(expires_after=-1)(lambda: 1)  # type: ignore[call-overload]


policies = st.builds(Policy, st.none() | st.sampled_from(MODES), st.none() | st.integers(0, 10))


@given(policies, policies, policies)
def test_of_several_policies_each_setting_is_the_narrowest_one_said(a: Policy, b: Policy, c: Policy) -> None:
    assert a.under(b).under(c) == a.under(b.under(c))
    assert a.under(UNSAID) == UNSAID.under(a) == a
    for setting in ("mode", "expires_after_us"):
        said = [getattr(one, setting) for one in (a, b, c) if getattr(one, setting) is not None]
        assert getattr(a.under(b).under(c), setting) == (said[0] if said else None)
