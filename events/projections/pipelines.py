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
        pipeline, structure = recorded.fields.pipeline, recorded.fields.structure
        if rows.has(key("s", pipeline, structure)):
            return
        newest = rows.latest(key("v", pipeline))
        if newest is None:
            rows.add(key("a"), [pipeline])
        number = 1 if newest is None else newest[0] + 1
        rows.add(key("v", pipeline), [number, structure])
        rows.add(key("s", pipeline, structure), [number])
