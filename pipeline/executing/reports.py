"""Where what a running step reports goes: straight into the store, or with its result from another process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, TextIO

from ...cas import BlobFiles, Digest, Row
from ...errors import LinealError
from ...events.catalogue import Annotated, Event, Subject
from ...events.committer import Ticket
from ...events.elsewhere import Outcome, Submission, commit_of
from ...events.ids import RunId, StepRunId
from ...events.projections import Artifacts
from ...events.projections.artifacts import newest_in
from ...events.projections.runs import RunRow, Runs
from ...events.rows import key
from ...history import is_visualized
from ...history.name_taking import gives_names, require_free
from ...history.reader import ExclusiveReader
from ...metrics import check_metric, metric_step, metric_value
from ...store import Store
from ..capturing.capture import show
from ..workers.line import Line
from .context import STEP, Point
from .task import Result

_TOLD_EVERY_S = 0.05
"""How often another process tells of progress at most."""

ProgressListener = Callable[[float, "float | None", str], object]
"""Hears how much is done, of how much, and a note."""


class Progressed(NamedTuple):
    """How far a step in another process is."""

    done: float
    total: float | None
    note: str


class Printed(NamedTuple):
    """What a step in another process prints on the terminal where somebody draws."""

    stream: str
    """``stdout`` or ``stderr``."""
    text: str


class Facts(NamedTuple):
    """What a step in another process has submitted to the store of its run."""

    submissions: Sequence[Submission]


class OfStep(NamedTuple):
    """What is told in a process of an executor that is not ours, whose steps share a line."""

    step: str
    told: Progressed | Facts


class WhatWasBefore(NamedTuple):
    """A step in another process wants to know what an output succeeds, as `Before` says it."""

    artifact: str


class WhetherShown(NamedTuple):
    """A step in another process wants to know whether it is kept already what a content shows of itself."""

    content: Digest


class Before(NamedTuple):
    """The newest committed version of an artifact."""

    content: Digest | None
    """None where there is none."""
    rows: Mapping[Digest, Row]
    """What is known of its blobs."""

    @classmethod
    def of(cls, store: Store, artifact: str) -> Self:
        """What is committed; of what is on its way nothing, so that nothing is waited for."""
        content = newest_in(store.committed_rows(Artifacts.name), artifact)
        return cls(content, {} if content is None else store.blobs.rows_under([content]))


Told = Progressed | Printed | Facts | WhatWasBefore | WhetherShown
"""What a step in a worker tells or asks while it executes."""


def hear_from(store: Store, hear: ProgressListener, told: Told) -> Sequence[Outcome] | Before | bool | None:
    """Take what a step in a worker tells while it executes: pass it on, commit what it has submitted and give what came
    of that, or answer what it asks."""
    match told:
        case Progressed():
            hear(*told)
            return None
        case Printed():
            show(*told)
            return None
        case WhatWasBefore():
            return Before.of(store, told.artifact)
        case WhetherShown():
            return is_visualized(store, told.content)
        case Facts():
            return _committed(store, told.submissions)


def _committed(store: Store, submissions: Sequence[Submission]) -> list[Outcome]:
    if commit_of(store.path) is None and any(gives_names(one.events) for one in submissions):
        return _committed_singly(store, submissions)
    submitted: list[Ticket | LinealError] = []
    for one in submissions:
        submitted.append(_submitted(store, one, [submitted[place] for place in one.after]))
    return [one if isinstance(one, LinealError) else _outcome(one) for one in submitted]


def _submitted(store: Store, one: Submission, after: Sequence[Ticket | LinealError]) -> Ticket | LinealError:
    """The ticket, or why it was refused at once: those beside it are committed, and who sent them must hear of that."""
    tickets = [ticket for ticket in after if not isinstance(ticket, LinealError)]
    if len(tickets) < len(after):
        return next(refusal for refusal in after if isinstance(refusal, LinealError))
    try:
        return store.append(one.events, one.blobs, after=tickets, ids=one.ids, expected=one.expected)
    except LinealError as refusal:
        return refusal


def _committed_singly(store: Store, submissions: Sequence[Submission]) -> list[Outcome]:
    """Commit one after the other, so that whether a name is free is looked at right before it is given."""
    outcomes: list[Outcome] = []
    for one in submissions:
        refusals = [outcomes[place] for place in one.after if isinstance(outcomes[place], LinealError)]
        if refusals:
            outcomes.append(refusals[0])
        elif gives_names(one.events):
            outcomes.append(_named(store, one))
        else:
            submitted = _submitted(store, one, ())
            outcomes.append(submitted if isinstance(submitted, LinealError) else _outcome(submitted))
    return outcomes


def _named(store: Store, one: Submission) -> Outcome:
    try:
        with store.exclusively() as changes:
            require_free(ExclusiveReader(store), one.events)
            return store.append_within(changes, one.events, one.ids)
    except LinealError as refusal:
        return refusal


def _outcome(ticket: Ticket) -> Outcome:
    try:
        ticket.wait()
    except LinealError as refusal:
        return refusal
    return ticket.places


class StoreReports:
    """Reports of a step that shares the store's process: metrics can be read while it runs."""

    points: Sequence[Point] = ()

    def __init__(self, store: Store, step_run: StepRunId, hear: ProgressListener | None = None) -> None:
        self._store = store
        self._run = step_run.run
        self._subject = Subject("step", step_run.step, step_run.run)
        self._hear = hear

    def run_name(self) -> str:
        return run_name(self._store, self._run)

    def metric(self, name: str, value: Any, step: Any) -> None:
        self._store.metrics.log(self._subject, {name: value}, step=step)

    def progress(self, done: float, total: float | None, note: str) -> None:
        if self._hear is not None:
            self._hear(done, total, note)

    def scratch_directory(self) -> Path:
        return self._store.blobs.files.scratch_directory()


class Tells(Protocol):
    """Where a step tells how far it is."""

    def tell(self, what: Progressed, /) -> bool:
        """Let it be known; False where nobody hears it."""


class GatheredReports:
    """Reports of a step in another process, from where there may be a line to who gave it the step.

    Memory: about a hundred bytes a point of a metric.
    """

    points: Sequence[Point]

    def __init__(self, run: str, files: BlobFiles, line: Tells | None = None) -> None:
        self._line = line
        self._told_at_s = -_TOLD_EVERY_S
        self._points: list[Point] = []
        self.points = self._points
        self._run = run
        self._files = files

    def run_name(self) -> str:
        return self._run

    def metric(self, name: str, value: Any, step: Any) -> None:
        place = None if step is None else metric_step(step)
        self._points.append(Point(check_metric(name), metric_value(name, value), place, time.time_ns() // 1000))

    def progress(self, done: float, total: float | None, note: str) -> None:
        now_s = time.monotonic()
        is_due = now_s - self._told_at_s >= _TOLD_EVERY_S or (total is not None and done >= total)
        if self._line is not None and is_due:
            self._told_at_s = now_s
            self._line.tell(Progressed(float(done), None if total is None else float(total), str(note)))

    def scratch_directory(self) -> Path:
        return self._files.scratch_directory()


def shown_through(line: Line) -> Callable[[TextIO, str], int]:
    """What writes to the streams of a worker, to whose terminal the other end of a line draws."""

    def write(stream: TextIO, text: str) -> int:
        name = "stderr" if stream is sys.__stderr__ else "stdout"
        if isinstance(text, str) and stream.isatty() and line.tell(Printed(name, text)):
            return len(text)
        return stream.write(text)

    return write


def run_name(store: Store, run: RunId) -> str:
    """The name of a run that has begun."""
    found = store.rows(Runs.name).latest(key("r", run))
    return "" if found is None else RunRow.of(found.row).name


def told(store: Store, step_run: StepRunId, result: Result) -> list[Event]:
    """What a step told of itself and of its outputs, to be committed with its end; its metrics go their own way."""
    subject = Subject("step", step_run.step, step_run.run)
    for point in result.points:
        store.metrics.log(subject, {point.name: point.value}, step=point.step, time_us=point.time_us)
    events: list[Event] = [*result.visualized]
    if STEP in result.metadata:
        events.append(Annotated(subject, dict(result.metadata[STEP])))
    for output in result.outputs:
        if output.name in result.metadata:
            of_output = Subject("version", output.artifact, output.content)
            events.append(Annotated(of_output, dict(result.metadata[output.name])))
    return events
