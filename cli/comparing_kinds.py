"""The kinds of JSON objects in which ``diff``, ``blame`` and ``bisect`` tell; see `kinds` for what holds of all."""

from __future__ import annotations

from typing import Literal, TypedDict

from .why_kinds import Cause, EnvironmentDifference, Leaf


class Changed(TypedDict):
    """Something that differs; null where it was not there."""

    what: str
    old: str | None
    new: str | None


class ChangedMetric(TypedDict):
    """The last values of a metric; texts where they are not finite, null where it was not logged."""

    name: str
    old: float | str | None
    new: float | str | None
    delta: float | str | None


class ComparedStep(TypedDict):
    """A step of two runs; what is of the one that does not have it is null."""

    name: str
    old: str | None
    """Run and step."""
    new: str | None
    old_status: str | None
    new_status: str | None
    function: Changed | None
    """Null where it is the same function."""
    code: list[Cause]
    inputs: list[Cause]
    outputs: list[Changed]
    """Artifact versions, by output."""
    metrics: list[ChangedMetric]
    old_duration_s: float | None
    new_duration_s: float | None
    is_same: bool


class StepDiff(TypedDict):
    """What differs between two step runs."""

    kind: Literal["step-diff"]
    v: Literal[1]
    step: ComparedStep


class ComparedRun(TypedDict):
    """One of two runs."""

    id: str
    name: str
    pipeline: str
    pipeline_version: int
    status: str
    started: str
    duration_s: float | None


class ChangedCode(TypedDict):
    """A symbol of the code that differs."""

    cause: Cause
    steps: list[str]
    """The steps whose code it is part of; none for the pipeline's own."""


class ComparedRuns(TypedDict):
    """What differs between two runs."""

    old: ComparedRun
    new: ComparedRun
    parameters: list[Cause]
    code: list[ChangedCode]
    environment: list[EnvironmentDifference]
    structure: list[Changed]
    steps: list[ComparedStep]
    metrics: list[ChangedMetric]
    is_same: bool


class RunDiff(TypedDict):
    """What differs between two runs."""

    kind: Literal["run-diff"]
    v: Literal[1]
    runs: ComparedRuns


class ComparedVersion(TypedDict):
    """One of two artifact versions."""

    reference: str
    content: str
    type: str
    format: str
    size_bytes: int
    created: str


class ChangedColumn(TypedDict):
    """A column that differs, with its statistics before and now; null where it is not there."""

    name: str
    old: dict[str, str] | None
    new: dict[str, str] | None
    differing_rows: int | None


class Compared(TypedDict):
    """One thing inside two values that differs."""

    path: str
    """Where it is; empty for the whole."""
    rows: Changed | None
    columns: list[ChangedColumn]
    numbers: list[Changed]
    diff: str
    """Of texts: a unified diff."""


class ComparedContents(TypedDict):
    """What loading two values tells."""

    comparisons: list[Compared]
    is_cut: bool


class VersionDiff(TypedDict):
    """What differs between two artifact versions."""

    kind: Literal["version-diff"]
    v: Literal[1]
    old: ComparedVersion
    new: ComparedVersion
    leaves: list[Leaf]
    """The places that differ, told by digests."""
    is_cut: bool
    """Whether there are more of them."""
    schema: list[Changed]
    """Of tables: the columns that came, went or have another type."""
    contents: ComparedContents | None
    """Null where nothing was loaded."""
    note: str
    """Why something is not told."""
    is_same: bool


class Pair(TypedDict):
    """Two versions of an artifact, or two that were taken in each other's place."""

    old: str
    new: str


class BlamedVersion(TypedDict):
    """What made one version differ from another."""

    old: str
    new: str
    step: str | None
    """Run and step that made the new one; null where it was saved by hand."""
    instead_of: str | None
    reasons: list[Cause]
    through: list[Pair]
    """Inputs that differ."""
    environment: list[EnvironmentDifference]
    note: str


class Blame(TypedDict):
    """What explains that an artifact version is not as an earlier one."""

    kind: Literal["blame"]
    v: Literal[1]
    old: str
    new: str
    causes: list[BlamedVersion]
    roots: list[str]
    """The new versions of the causes that nothing upstream explains."""
    is_complete: bool


class MeasuredRun(TypedDict):
    """A run and its metric; null where it has none."""

    run: str
    id: str
    value: float | str | None
    holds: bool | None


class Turn(TypedDict):
    """Where a condition came to hold, or ceased to."""

    before: MeasuredRun
    between: list[MeasuredRun]
    """Runs in between that have no such metric."""
    at: MeasuredRun


class Bisection(TypedDict):
    """Where a metric turned over runs."""

    kind: Literal["bisection"]
    v: Literal[1]
    metric: str
    predicate: str
    runs: int
    """How many were looked at."""
    turns: list[Turn]
    first: Turn | None
    """The first at which it came to hold."""
    diff: ComparedRuns | None
    """What changed there."""
