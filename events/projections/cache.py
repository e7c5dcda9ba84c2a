"""Cache: which step run a fingerprint can be served from, and which functions take long to execute.

Tables: ``f fingerprint`` → nothing; the event that made the row says who executed and what it gave.
``s function`` → how long an execution took, in µs, of those that took long.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from ..catalogue import Input, Output, StepCompleted, StepReused
from ..codec import Recorded
from ..ids import StepRunId
from ..rows import RowWriter, key
from .base import Projection

SLOW_US = 200_000
"""What takes so long is worth a commit before it begins, that others wait for it rather than do the same."""


class Reusable(NamedTuple):
    """A step run that executed, and what it gave."""

    step: StepRunId
    outputs: tuple[Output, ...]
    completed_us: int
    loads: tuple[Input, ...] = ()
    """What it loaded itself, by references that may mean something else by now."""
    missed: tuple[str, ...] = ()
    """References by which it found nothing, that may mean something by now."""

    @classmethod
    def of(cls, event: StepCompleted | StepReused) -> Self:
        """What an execution left, or as what it was reused."""
        step = event.reuses if isinstance(event, StepReused) else StepRunId(event.run, event.step)
        loads = tuple([taken for taken in event.inputs if taken.reference is not None])
        return cls(step, event.outputs, event.started_us + event.duration_us, loads, event.missed)


class Cache(Projection):
    """The fold."""

    name = "cache"
    version = 3
    events = (StepCompleted,)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        fields = recorded.fields
        if fields.is_offered:
            rows.mark(b"f" + fields.fingerprint)
        if fields.duration_us >= SLOW_US:
            rows.add(key("s", fields.function), fields.duration_us)
