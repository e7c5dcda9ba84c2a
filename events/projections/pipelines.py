"""Pipelines and their versions: one version for each distinct structure, numbered from 1.

Tables: ``a`` → names in order of first appearance; ``v name`` → versions; ``s name structure`` → version number;
``w`` as in `numbers`.
"""

from __future__ import annotations

from ..catalogue import RunStarted, StoreImported
from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection
from .numbers import next_number, note_numbers


class Pipelines(Projection):
    """The fold."""

    name = "pipelines"
    version = 2
    events = (RunStarted, StoreImported)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        if recorded.type == StoreImported.TYPE:
            note_numbers(rows, recorded, "pipeline")
            return
        pipeline, structure = recorded.fields.pipeline, recorded.fields.structure
        if rows.has(key("s", pipeline, structure)):
            return
        newest = rows.latest(key("v", pipeline))
        if newest is None:
            rows.add(key("a"), [pipeline])
        number = next_number(rows, pipeline, structure, 0 if newest is None else newest[0])
        rows.add(key("v", pipeline), [number, structure])
        rows.add(key("s", pipeline, structure), [number])
