"""Runs and their steps as OpenLineage run events (specification 2-0-2): who took what, and made what, and how it ended.

A run is a run of its pipeline's job, a step run one of the step's job with the run as its parent. Each has a START
event and, once it has ended, COMPLETE, FAIL or ABORT. Artifacts are datasets, with their versions. A step that was
served from the cache names what it gave, too, and whose execution it reuses; one that was skipped never ran.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ..events.ids import RunId
from ..events.projections.runs import CANCELLED, COMPLETED, FAILED, INTERRUPTED, RUNNING
from ..events.projections.steps import CACHED, SKIPPED
from .openlineage_facets import (
    EVENT_SCHEMA,
    PRODUCER,
    Facets,
    Surroundings,
    dataset,
    error_facets,
    output_facets,
    pipeline_facets,
    run_facets,
    run_job,
    run_uuid,
    step_facets,
    step_job,
    step_job_facets,
    step_uuid,
)
from .reader import moment
from .views import RunView, StepRunView

_ENDS = {COMPLETED: "COMPLETE", CACHED: "COMPLETE", FAILED: "FAIL", CANCELLED: "ABORT", INTERRUPTED: "ABORT"}
_START = "START"


def openlineage_events(steps: Iterable[StepRunView]) -> Iterator[dict[str, Any]]:
    """The events of step runs and of the runs they belong to, of plain JSON; one run after the other, oldest first.

    Of a run they are in the order of their times. The same steps of the same store give the same events. Where bytes
    of what surrounded a run are gone, the facets that say it are left out.
    """
    by_run: dict[RunId, list[StepRunView]] = {}
    for step in steps:
        by_run.setdefault(step.id.run, []).append(step)
    runs = sorted((some[0].run for some in by_run.values()), key=lambda run: run.seq)
    for run in runs:
        yield from _events_of(run, by_run[run.id])


class _Told(NamedTuple):
    """An event, and its place among those of its run."""

    time: datetime
    rank: int
    """Of those at one time: a run begins before its steps, and ends after them."""
    event: dict[str, Any]


def _events_of(run: RunView, steps: Iterable[StepRunView]) -> list[dict[str, Any]]:
    around = Surroundings.of(run)
    told = [*_of_run(run, around)]
    for step in steps:
        if step.status != SKIPPED:
            told += _of_step(step, run, around)
    return [one.event for one in sorted(told, key=lambda one: one[:2])]


def _of_run(run: RunView, around: Surroundings) -> Iterator[_Told]:
    job = {**run_job(run), "facets": pipeline_facets(run, around)}
    facets, status = run_facets(run, around), run.status
    yield _told(0, run.started, _START, {"runId": run_uuid(run), "facets": facets}, job)
    if status != RUNNING:
        failed = {} if run.message is None else error_facets(run.message)
        yield _told(3, _ended(run), _ENDS[status], {"runId": run_uuid(run), "facets": {**facets, **failed}}, job)


def _of_step(step: StepRunView, run: RunView, around: Surroundings) -> Iterator[_Told]:
    job = {**step_job(step, run), "facets": step_job_facets(step, around)}
    facets, status = step_facets(step, run, around), step.status
    taken = [dataset(version) for version in dict.fromkeys(step.inputs.values())]
    started, took_s = step.started or moment(step.recorded.time_us), step.duration_s
    yield _told(1, started, _START, {"runId": step_uuid(step), "facets": facets}, job, taken)
    if status != RUNNING:
        ended = max(started, _ended(run)) if took_s is None else started + timedelta(seconds=took_s)
        identity = {"runId": step_uuid(step), "facets": {**facets, **_failure(step)}}
        yield _told(2, ended, _ENDS[status], identity, job, taken, _given(step))


def _failure(step: StepRunView) -> Facets:
    failure = step.failure
    return {} if failure is None else error_facets(f"{failure.type}: {failure.message}", failure.traceback)


def _given(step: StepRunView) -> list[dict[str, Any]]:
    """What a step gave, and how much it was where it made it."""
    versions = dict.fromkeys(step.outputs.values())
    if step.is_cached:
        return [dataset(version) for version in versions]
    return [{**dataset(version), "outputFacets": output_facets(version)} for version in versions]


def _ended(run: RunView) -> datetime:
    """When a run ended; of one whose process died, when it was last heard of."""
    if run.ended is not None:
        return run.ended
    last = run.started
    for recorded in run.events():
        last = moment(recorded.time_us)
    return last


def _told(
    rank: int,
    time: datetime,
    kind: str,
    run: dict[str, Any],
    job: dict[str, Any],
    inputs: Iterable[dict[str, Any]] = (),
    outputs: Iterable[dict[str, Any]] = (),
) -> _Told:
    event = {
        "eventType": kind,
        "eventTime": time.isoformat(timespec="microseconds"),
        "run": run,
        "job": job,
        "inputs": list(inputs),
        "outputs": list(outputs),
        "producer": PRODUCER,
        "schemaURL": EVENT_SCHEMA,
    }
    return _Told(time, rank, event)
