"""Step runs: which a run has, in which state, and the event that tells the rest.

Tables: ``s run step`` → ``[status, seq of the event that began it]``; ``r run`` → steps in order of appearance.
"""

from __future__ import annotations

from ..catalogue import StepCompleted, StepFailed, StepReused, StepSkipped, StepStarted
from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection

RUNNING, COMPLETED, CACHED, FAILED, SKIPPED = "running", "completed", "cached", "failed", "skipped"

_STATUS = {
    StepStarted: RUNNING,
    StepCompleted: COMPLETED,
    StepReused: CACHED,
    StepFailed: FAILED,
    StepSkipped: SKIPPED,
}


class Steps(Projection):
    """The fold."""

    name = "steps"
    events = tuple(_STATUS)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        event = recorded.event
        assert isinstance(event, StepStarted | StepCompleted | StepReused | StepFailed | StepSkipped)
        place = key("s", event.run, event.step)
        if isinstance(event, StepStarted | StepReused | StepSkipped) or rows.latest(place) is None:
            rows.add(key("r", event.run), [event.step])
        rows.add(place, [_STATUS[type(event)]])
