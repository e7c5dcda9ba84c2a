"""Pipelines and their versions: one version for each distinct structure, numbered from 1.

Tables: ``a`` → names in order of first appearance; ``v name`` → versions; ``s name structure`` → version number.
"""

from __future__ import annotations

from ..catalogue import RunStarted
from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection


class Pipelines(Projection):
    """The fold."""

    name = "pipelines"
    events = (RunStarted,)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        event = recorded.event
        assert isinstance(event, RunStarted)
        if rows.latest(key("s", event.pipeline, event.structure)) is not None:
            return
        newest = rows.latest(key("v", event.pipeline))
        if newest is None:
            rows.add(key("a"), [event.pipeline])
        number = 1 if newest is None else newest[0] + 1
        rows.add(key("v", event.pipeline), [number, event.structure])
        rows.add(key("s", event.pipeline, event.structure), [number])
