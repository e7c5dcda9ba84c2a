"""What a comparison tells, as the sections of text and as records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .layout import Block, Diff, Section, Table
from .why import cause_record

if TYPE_CHECKING:
    from ..history import RunDiff, StepDiff
    from ..history.comparing.told import Told


def sections_of(told: Told) -> Iterator[Section]:
    """A comparison part by part; images are for pages."""
    yield Block("", told.title)
    for part in told.parts():
        if part.rows:
            yield Table(part.title, part.columns, part.rows)
        if part.text:
            yield Block(part.title, part.text)
        if part.diff:
            yield Diff(part.title, part.diff)


def step_record(step: StepDiff) -> dict[str, Any]:
    """A compared step."""
    causes = {"code": list(map(cause_record, step.code)), "inputs": list(map(cause_record, step.inputs))}
    return {**step.to_dict(), **causes}


def runs_record(runs: RunDiff) -> dict[str, Any]:
    """Compared runs."""
    return {
        **runs.to_dict(),
        "parameters": list(map(cause_record, runs.parameters)),
        "code": [{"cause": cause_record(one.reason), "steps": list(one.steps)} for one in runs.code],
        "steps": list(map(step_record, runs.steps)),
    }
