"""The kinds of JSON objects that ``lineal reproduce`` prints; they go on from `kinds`, and by its rules."""

from __future__ import annotations

from typing import Literal, TypedDict


class ReproducedOutput(TypedDict):
    """One output of a step, then and again."""

    output: str
    is_same: bool
    then: str
    """Content id on record."""
    again: str
    where: list[str]
    """Where inside it the values differ, the first few."""


class ReproducedStep(TypedDict):
    """One step of a run, then and again."""

    step: str
    verdict: Literal["same", "differs", "not comparable"]
    why: str | None
    """What it can't be compared for, or what is known of a difference."""
    outputs: list[ReproducedOutput]


class Reproduction(TypedDict):
    """What came of executing the steps of a run again."""

    kind: Literal["reproduction"]
    v: Literal[1]
    run: str
    run_name: str
    is_same: bool
    """Whether all outputs came out as they were."""
    runs: list[str]
    """Names of the runs in which they were executed again: several where steps failed."""
    steps: list[ReproducedStep]
    environment: list[dict[str, str | None]]
    """What differs in the environment."""
