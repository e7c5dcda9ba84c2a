"""Artifacts and their versions: one version for each distinct content under a name, numbered from 1.

Tables: ``a`` → names in order of first appearance; ``v name`` → versions ``[number, content]``, newest last;
``n name number`` → content; ``c name content`` → number; ``d content`` → names and numbers it is known by.
"""

from __future__ import annotations

from ..catalogue import ArtifactSaved, Output, StepCompleted, StepReused
from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection


class Artifacts(Projection):
    """The fold."""

    name = "artifacts"
    events = (StepCompleted, StepReused, ArtifactSaved)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        for output in recorded.event.made:
            self._version(rows, output)

    def _version(self, rows: RowWriter, output: Output) -> None:
        name, content = output.artifact, output.content
        if rows.latest(key("c", name, content)) is not None:
            return
        newest = rows.latest(key("v", name))
        if newest is None:
            rows.add(key("a"), [name])
        number = 1 if newest is None else newest[0] + 1
        rows.add(key("v", name), [number, content])
        rows.add(key("n", name, number), [content])
        rows.add(key("c", name, content), [number])
        rows.add(key("d", content), [name, number])
