"""Cache: which step run a fingerprint can be served from.

Table: ``f fingerprint`` → ``[]``; the row's seq is that of the completion.
"""

from __future__ import annotations

from ..catalogue import StepCompleted
from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection


class Cache(Projection):
    """The fold."""

    name = "cache"
    events = (StepCompleted,)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        event = recorded.event
        assert isinstance(event, StepCompleted)
        rows.add(key("f", event.fingerprint), [])
