"""Cache: which step run a fingerprint can be served from.

Table: ``f fingerprint`` → nothing; the event that made the row says who executed and what it gave.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from ..catalogue import Output, StepCompleted
from ..codec import Recorded
from ..ids import StepRunId
from ..rows import RowWriter
from .base import Projection


class Reusable(NamedTuple):
    """A step run that executed, and what it gave."""

    step: StepRunId
    outputs: tuple[Output, ...]

    @classmethod
    def of(cls, event: StepCompleted) -> Self:
        """What an execution left."""
        return cls(StepRunId(event.run, event.step), event.outputs)


class Cache(Projection):
    """The fold."""

    name = "cache"
    version = 2
    events = (StepCompleted,)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        rows.mark(b"f" + recorded.fields.fingerprint)
