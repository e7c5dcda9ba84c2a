"""Runs: their state, and the lists in which they are found.

Tables: ``r run`` → state; ``a`` → runs in order; ``p pipeline`` → its runs;
``v pipeline structure`` → runs of that structure; ``n name`` → runs that are or were called so;
``l`` → the runs that are running;
``e status`` → runs that ended so, in the order of their ends; ``q pipeline status`` → those of one pipeline;
``w`` as in `numbers`; ``c`` and ``m`` as in `pipeline_names`. Pipelines are told apart by their first names.

A run ends once, by its own word. That it was interrupted is what others found: if it goes on all the same, as after a
suspension that outlasted its lease, its own word counts.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self

from ..catalogue import (
    PipelineRenamed,
    Process,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunInterrupted,
    RunRenamed,
    RunRenewed,
    RunStarted,
    StoreImported,
)
from ..codec import Recorded
from ..ids import RunId
from ..rows import Row, RowWriter, framed
from .base import Projection
from .numbers import next_number, note_numbers
from .pipeline_names import first_name, name_after, note_renaming

RUNNING, COMPLETED, FAILED, CANCELLED, INTERRUPTED = "running", "completed", "failed", "cancelled", "interrupted"
STATUSES = (RUNNING, COMPLETED, FAILED, CANCELLED, INTERRUPTED)
"""What a run can be."""
_ENDS = {
    RunCompleted.TYPE: COMPLETED,
    RunFailed.TYPE: FAILED,
    RunCancelled.TYPE: CANCELLED,
    RunInterrupted.TYPE: INTERRUPTED,
}


class RunRow(NamedTuple):
    """A run's state after an event."""

    run: RunId
    status: str
    name: str
    pipeline: str
    """Its first name."""
    number: int
    """Position among the pipeline's runs, from 1; with gaps where runs were imported that had larger ones."""
    started_seq: int
    started_us: int
    ended_us: int | None
    ended_seq: int | None
    """Position of the event that ended it."""
    message: str | None
    """What made it fail or end early."""
    process: Process
    lease_until_us: int | None
    """Until when other hosts take it for alive."""

    @classmethod
    def of(cls, row: Row) -> Self:
        """Restore the types."""
        run, *state, process, lease_until_us = row
        return cls._make((RunId(run), *state, Process(*process), lease_until_us))


class Runs(Projection):
    """The fold."""

    name = "runs"
    version = 5
    events = (
        RunStarted,
        RunRenewed,
        RunRenamed,
        RunCompleted,
        RunFailed,
        RunCancelled,
        RunInterrupted,
        StoreImported,
        PipelineRenamed,
    )

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        if recorded.type == RunStarted.TYPE:
            self._start(rows, recorded, recorded.fields)
            return
        if recorded.type == StoreImported.TYPE:
            note_numbers(rows, recorded, "run")
            return
        if recorded.type == PipelineRenamed.TYPE:
            note_renaming(rows, recorded)
            return
        state = rows.latest(b"r" + recorded.fields.run)
        if recorded.type == RunRenamed.TYPE:
            if state is not None:
                self._rename(rows, recorded.fields, state)
            return
        if state is None or state[1] not in (RUNNING, INTERRUPTED):
            return
        if recorded.type == RunRenewed.TYPE:
            self._renew(rows, recorded.fields, state)
        elif state[1] == RUNNING or recorded.type != RunInterrupted.TYPE:
            self._end(rows, recorded, recorded.fields, state)

    def _start(self, rows: RowWriter, recorded: Recorded, started: Any) -> None:
        run, pipeline = started.run, first_name(rows, started.pipeline)
        of_pipeline = b"p" + framed(pipeline)
        earlier = rows.latest(of_pipeline)
        number = next_number(rows, started.pipeline, run, 0 if earlier is None else earlier[1])
        name = started.name or f"{name_after(rows, pipeline)}-{number}"
        rows.add(of_pipeline, [run, number])
        rows.mark(b"v" + framed(pipeline) + started.structure, [run])
        rows.mark(b"n" + framed(name), [run])
        rows.mark(b"a", [run])
        state = RunRow(
            run,
            RUNNING,
            name,
            pipeline,
            number,
            recorded.seq,
            recorded.time_us,
            None,
            None,
            None,
            started.process,
            started.lease_until_us,
        )
        rows.add(b"r" + run, state)
        rows.add(b"l", [*(rows.latest(b"l") or []), run])

    def _rename(self, rows: RowWriter, renamed: Any, state: Row) -> None:
        before = RunRow._make(state)
        rows.add(b"r" + before.run, before._replace(name=renamed.name))
        rows.mark(b"n" + framed(renamed.name), [before.run])

    def _renew(self, rows: RowWriter, renewed: Any, state: Row) -> None:
        before = RunRow._make(state)
        lease = renewed.lease_until_us
        row = before._replace(status=RUNNING, ended_us=None, ended_seq=None, message=None, lease_until_us=lease)
        rows.add(b"r" + before.run, row)
        if before.status != RUNNING:
            rows.add(b"l", [*(rows.latest(b"l") or []), before.run])

    def _end(self, rows: RowWriter, recorded: Recorded, ended: Any, state: Row) -> None:
        before = RunRow._make(state)
        run, status = before.run, _ENDS[recorded.type]
        message = getattr(ended, "message", getattr(ended, "reason", None))
        if before.status == INTERRUPTED:
            given_up = f"it had been given up: {before.message}"
            message = given_up if message is None else f"{message}; {given_up}"
        ended = {"status": status, "ended_us": recorded.time_us, "ended_seq": recorded.seq, "message": message}
        rows.add(b"r" + run, before._replace(**ended))
        rows.mark(b"e" + framed(status), [run])
        rows.mark(b"q" + framed(before.pipeline) + framed(status), [run])
        rows.add(b"l", [one for one in rows.latest(b"l") or [] if one != run])
