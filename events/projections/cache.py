"""Cache: which step run a fingerprint can be served from.

Table: ``f fingerprint`` → `Reusable`, whole, so that a decision takes one lookup.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from ...cas.digest import Digest
from ..catalogue import Output, StepCompleted
from ..codec import Recorded
from ..ids import RunId, StepRunId
from ..rows import Row, RowWriter, key
from .base import Projection


class Reusable(NamedTuple):
    """A step run that executed, and what it gave."""

    step: StepRunId
    outputs: tuple[Output, ...]

    @classmethod
    def of(cls, row: Row) -> Self:
        """Restore the types."""
        (run, step), outputs = row
        return cls(
            StepRunId(RunId(run), step),
            tuple([Output(name, artifact, Digest(content), *rest) for name, artifact, content, *rest in outputs]),
        )


class Cache(Projection):
    """The fold."""

    name = "cache"
    events = (StepCompleted,)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        event = recorded.event
        assert isinstance(event, StepCompleted)
        rows.add(key("f", event.fingerprint), Reusable(StepRunId(event.run, event.step), event.outputs))
