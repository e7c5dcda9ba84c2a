"""The earlier step run that one is compared with: the newest of its function, best of the same place in a pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from ..events.catalogue import StepReused, StepStarted
from ..events.ids import RunId, StepRunId
from ..events.projections import Lineage, Runs, Steps
from ..events.projections.steps import CACHED, RUNNING
from ..events.rows import key
from .reader import Reader

RUNS_MAX = 1000
"""How many runs of a pipeline are looked through for one that has the step."""


class Begun(NamedTuple):
    """How a step run began."""

    id: StepRunId
    seq: int
    event: StepStarted | StepReused


def beginning(reader: Reader, step_run: StepRunId) -> Begun | None:
    """How a step run began last; None if it never did."""
    rows = reader.rows(Steps.name).history(key("s", step_run.run, step_run.step), newest_first=True)
    for seq, (_, status) in rows:
        event = reader.event(seq).event if status in (RUNNING, CACHED) else None
        if isinstance(event, StepStarted | StepReused):
            return Begun(step_run, seq, event)
    return None


def nearest(reader: Reader, pipeline: str, step: str, function: str, before: int) -> Begun | None:
    """What to compare a step run with that begins at a position; None where its function has not run before.

    The same step in the newest run of the pipeline that has it; else the newest step run of the function in any.
    """
    found = next(_same_place(reader, pipeline, step, function, before), None)
    return next(_same_function(reader, function, before), None) if found is None else found


def _same_place(reader: Reader, pipeline: str, step: str, function: str, before: int) -> Iterator[Begun]:
    runs = reader.rows(Runs.name).history(key("p", pipeline), newest_first=True)
    for _, (run, _number) in islice(runs, RUNS_MAX):
        begun = beginning(reader, StepRunId(RunId(run), step))
        if begun is not None and begun.seq < before and begun.event.function == function:
            yield begun


def _same_function(reader: Reader, function: str, before: int) -> Iterator[Begun]:
    ended = reader.rows(Lineage.name).history(key("f", function), newest_first=True)
    for seq, (run, step, _duration_us, _size_bytes) in ended:
        begun = beginning(reader, StepRunId(RunId(run), step)) if seq < before else None
        if begun is not None:
            yield begun
