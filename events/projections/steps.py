"""Step runs: which a run has, and in which state each is; the event that made a row tells the rest.

Tables: ``s run step`` → ``[step, status]``; ``t run step`` → attempts after which the step had no end yet;
``d run step`` → nothing, the event that made the row says how its result differs from an earlier one.
"""

from __future__ import annotations

from ..catalogue import (
    DivergenceSeen,
    StepCompleted,
    StepFailed,
    StepRetried,
    StepReused,
    StepSkipped,
    StepStarted,
    StepStopped,
)
from ..codec import Recorded
from ..rows import RowWriter, framed, key
from .base import Projection

RUNNING, COMPLETED, CACHED, FAILED, SKIPPED = "running", "completed", "cached", "failed", "skipped"

STATUS = {
    StepStarted.TYPE: RUNNING,
    StepCompleted.TYPE: COMPLETED,
    StepReused.TYPE: CACHED,
    StepFailed.TYPE: FAILED,
    StepSkipped.TYPE: SKIPPED,
}
"""What a step run is in after an event of a type."""


class Steps(Projection):
    """The fold."""

    name = "steps"
    version = 3
    events = (StepStarted, StepCompleted, StepReused, StepFailed, StepSkipped, StepRetried, StepStopped, DivergenceSeen)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        fields = recorded.fields
        run, step = fields.run, fields.step
        status = STATUS.get(recorded.type)
        if status is not None:
            rows.mark(b"s" + run + framed(step), [step, status])
        elif recorded.type == DivergenceSeen.TYPE:
            rows.mark(key("d", run, step))
        else:
            rows.add(key("t", run, step), fields.attempt)
