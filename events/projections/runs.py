"""Runs: their state, and the lists in which they are found.

Tables: ``r run`` → state; ``a`` → runs in order; ``p pipeline`` → its runs;
``v pipeline structure`` → runs of that structure; ``n name`` → run; ``l`` → the runs that are running.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from ..catalogue import Process, RunCompleted, RunFailed, RunInterrupted, RunStarted
from ..codec import Recorded
from ..ids import RunId
from ..rows import Row, RowWriter, key
from .base import Projection

RUNNING, COMPLETED, FAILED, INTERRUPTED = "running", "completed", "failed", "interrupted"


class RunRow(NamedTuple):
    """A run's state after an event."""

    run: RunId
    status: str
    name: str
    pipeline: str
    number: int
    """Position among the pipeline's runs, from 1."""
    started_seq: int
    started_us: int
    ended_us: int | None
    message: str | None
    """What made it fail or end early."""
    process: Process

    @classmethod
    def of(cls, row: Row) -> Self:
        """Restore the types."""
        run, *state, process = row
        return cls._make((RunId(run), *state, Process(*process)))


class Runs(Projection):
    """The fold."""

    name = "runs"
    events = (RunStarted, RunCompleted, RunFailed, RunInterrupted)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        match recorded.event:
            case RunStarted():
                self._start(rows, recorded, recorded.event)
            case RunCompleted(run):
                self._end(rows, recorded, run, COMPLETED, None)
            case RunFailed(run, _, message):
                self._end(rows, recorded, run, FAILED, message)
            case RunInterrupted(run, reason):
                self._end(rows, recorded, run, INTERRUPTED, reason)

    def _start(self, rows: RowWriter, recorded: Recorded, event: RunStarted) -> None:
        earlier = rows.latest(key("p", event.pipeline))
        number = 1 if earlier is None else earlier[1] + 1
        name = event.name or f"{event.pipeline}-{number}"
        rows.add(key("p", event.pipeline), [event.run, number])
        rows.add(key("v", event.pipeline, event.structure), [event.run])
        rows.add(key("n", name), [event.run])
        rows.add(key("a"), [event.run])
        state = RunRow(
            event.run, RUNNING, name, event.pipeline, number, recorded.seq, recorded.time_us, None, None, event.process
        )
        rows.add(key("r", event.run), state)
        rows.add(key("l"), [*(rows.latest(key("l")) or []), event.run])

    def _end(self, rows: RowWriter, recorded: Recorded, run: RunId, status: str, message: str | None) -> None:
        row = rows.latest(key("r", run))
        if row is None or row[1] != RUNNING:
            return
        state = RunRow.of(row)._replace(status=status, ended_us=recorded.time_us, message=message)
        rows.add(key("r", run), state)
        rows.add(key("l"), [one for one in rows.latest(key("l")) or [] if one != run])
