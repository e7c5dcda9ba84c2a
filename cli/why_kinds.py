"""The kinds of JSON objects in which ``why`` and ``plan`` explain; see `kinds` for what holds of all."""

from __future__ import annotations

from typing import Literal, TypedDict


class Leaf(TypedDict):
    """A place inside an input where two values differ."""

    path: str
    old: str | None
    new: str | None


class Cause(TypedDict):
    """One of the causes of a hit or a miss."""

    cause: str
    """first-run, code, input, parameter, reference, ignored, outputs, evicted, expired, off, refresh, unfinished,
    not-offered, not-trusted, skipped, divergence, equivalence or untold."""
    text: str
    what: str
    """A symbol of the code, a parameter, a reference, or an output."""
    old: str | None
    new: str | None
    diff: str
    """Of code: the change of its source, as a unified diff."""
    leaves: list[Leaf]


class Mention(TypedDict):
    """A step run that an explanation speaks of."""

    id: str
    """Id of the run, a slash, and the step's name."""
    reference: str
    began: str


class Gap(TypedDict):
    """A place where a fingerprint is less exact than the code."""

    gap: str
    """opaque, unresolved, imprecise, nosource or stale-source."""
    what: str
    text: str


class EnvironmentDifference(TypedDict):
    """Something of the environment that differs; null where it was not there."""

    what: str
    old: str | None
    new: str | None


class Expectation(TypedDict):
    """What an execution of a function took so far, by the median of the newest."""

    executions: int
    duration_s: float
    size_bytes: int


class ForeseenStep(TypedDict):
    """What would become of one step."""

    name: str
    function: str
    verdict: str
    """hit, miss, or unknown where what other steps give decides it."""
    why: str
    """The verdict's grounds, in one line."""
    reasons: list[Cause]
    reuses: Mention | None
    shares: str | None
    """Of a hit: the step of the same run that will have executed the same."""
    compared_with: Mention | None
    waits_for: list[str]
    """Of what is unknown: the steps whose outputs decide it."""
    expected: Expectation | None
    """Null where its function has never executed."""
    gaps: list[Gap]


class Forecast(TypedDict):
    """What a run of a pipeline would do."""

    kind: Literal["forecast"]
    v: Literal[1]
    pipeline: str
    summary: str
    steps: list[ForeseenStep]


class Explanation(TypedDict):
    """Why a step run was served from the cache, or executed."""

    kind: Literal["explanation"]
    v: Literal[1]
    step: str
    """Name of the run, a slash, and the step's name."""
    verdict: str
    """hit, miss or skipped."""
    summary: str
    reuses: Mention | None
    """Of a hit: the step run that executed."""
    compared_with: Mention | None
    """Of a miss: the earlier step run that the changes are told against."""
    reasons: list[Cause]
    environment: list[EnvironmentDifference]
    """Of a hit: what differs from the environment in which it executed."""
    gaps: list[Gap]
    """Where its fingerprint is less exact than its code."""
