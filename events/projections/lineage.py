"""Lineage: who made a content and who used it.

Tables: ``p content`` → productions ``[run, step, output]``, or ``[]`` for a save by hand;
``e content`` → those productions alone in which something was executed or saved;
``c content`` → uses ``[run, step, input]``.
"""

from __future__ import annotations

from ..catalogue import ArtifactSaved, StepCompleted, StepFailed, StepReused
from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection


class Lineage(Projection):
    """The fold."""

    name = "lineage"
    events = (StepCompleted, StepReused, StepFailed, ArtifactSaved)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        event = recorded.event
        if isinstance(event, ArtifactSaved):
            rows.add(key("p", event.output.content), [])
            rows.add(key("e", event.output.content), [])
            return
        assert isinstance(event, StepCompleted | StepReused | StepFailed)
        for taken in event.inputs:
            rows.add(key("c", taken.content), [event.run, event.step, taken.name])
        if isinstance(event, StepFailed):
            return
        for output in event.outputs:
            production = [event.run, event.step, output.name]
            rows.add(key("p", output.content), production)
            if isinstance(event, StepCompleted):
                rows.add(key("e", output.content), production)
