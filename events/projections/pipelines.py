"""Pipelines and their versions: one version for each distinct structure, numbered from 1.

Tables: ``a`` → first names in order of appearance; ``v first name`` → versions;
``s first name structure`` → version number; ``w`` as in `numbers`; ``c`` and ``m`` as in `pipeline_names`.
"""

from __future__ import annotations

from ..catalogue import PipelineRenamed, RunStarted, StoreImported
from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection
from .numbers import next_number, note_numbers
from .pipeline_names import first_name, note_renaming


class Pipelines(Projection):
    """The fold."""

    name = "pipelines"
    version = 2
    events = (RunStarted, StoreImported, PipelineRenamed)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        if recorded.type == StoreImported.TYPE:
            note_numbers(rows, recorded, "pipeline")
            return
        if recorded.type == PipelineRenamed.TYPE:
            note_renaming(rows, recorded)
            return
        declared, structure = recorded.fields.pipeline, recorded.fields.structure
        pipeline = first_name(rows, declared)
        if rows.has(key("s", pipeline, structure)):
            return
        newest = rows.latest(key("v", pipeline))
        if newest is None:
            rows.add(key("a"), [pipeline])
        number = next_number(rows, declared, structure, 0 if newest is None else newest[0])
        rows.add(key("v", pipeline), [number, structure])
        rows.add(key("s", pipeline, structure), [number])
