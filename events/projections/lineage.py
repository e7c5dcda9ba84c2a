"""Lineage: who made a content and who used it.

Tables: ``p content`` → productions ``[run, step, output]``, or ``[]`` for a save by hand;
``e content`` → those productions alone in which something was executed or saved;
``c content`` → uses ``[run, step, input, artifact]``, the last being None where it was a literal.
"""

from __future__ import annotations

from typing import Any

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
        maker: list[Any] = [] if isinstance(event, ArtifactSaved) else [event.run, event.step]  # type: ignore[attr-defined]
        for taken in getattr(event, "inputs", ()):
            rows.add(key("c", taken.content), [*maker, taken.name, taken.artifact])
        for output in event.made:
            production = [*maker, output.name] if maker else []
            rows.add(key("p", output.content), production)
            if not isinstance(event, StepReused):
                rows.add(key("e", output.content), production)
