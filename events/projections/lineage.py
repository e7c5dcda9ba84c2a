"""Lineage: who made a content and who used it, and which step runs a function had.

Tables: ``p content`` → productions ``[run, step, output, whether it was executed]``, or ``[]`` for a save
outside of steps;
``o run step`` → versions that a step run saved by hand while it ran, ``[artifact, content]``;
``c content`` → uses ``[run, step, input, artifact]``, the last being None where it was a literal;
``f function`` → step runs that ended ``[run, step, duration in µs, bytes of what it gave]``, the duration None where
nothing executed to an end.
"""

from __future__ import annotations

from typing import Any

from ..catalogue import ArtifactNamed, ArtifactSaved, StepCompleted, StepFailed, StepReused
from ..codec import Recorded
from ..rows import RowWriter, framed
from .artifacts import BY_HAND, outputs_of
from .base import Projection


class Lineage(Projection):
    """The fold."""

    name = "lineage"
    version = 4
    lag_max = 10_000
    events = (StepCompleted, StepReused, StepFailed, ArtifactSaved, ArtifactNamed)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        fields = recorded.fields
        if recorded.type in BY_HAND:
            by = fields.by if recorded.type == ArtifactSaved.TYPE else None
            rows.mark(b"p" + fields.output[2], [] if by is None else [*by, fields.output[0], True])
            if by is not None:
                rows.mark(b"o" + by[0] + framed(by[1]), fields.output[1:3])
            return
        run, step, mark = fields.run, fields.step, rows.mark
        for taken in fields.inputs:
            mark(b"c" + taken[1], [run, step, taken[0], taken[2]])
        outputs: Any = () if recorded.type == StepFailed.TYPE else outputs_of(recorded)
        is_executed = recorded.type != StepReused.TYPE
        duration_us = fields.duration_us if recorded.type == StepCompleted.TYPE else None
        mark(b"f" + framed(fields.function), [run, step, duration_us, sum([output[5] for output in outputs])])
        for given in outputs:
            mark(b"p" + given[2], [run, step, given[0], is_executed])
