"""Lineage: who made a content and who used it, and which step runs a function had.

Tables: ``p content`` → productions ``[run, step, output, whether it was executed]``, or ``[]`` for a save
outside of steps;
``o run step`` → versions that a step run saved by hand while it ran, ``[artifact, content]``;
``c content`` → uses ``[run, step, input, artifact]``, the last being None where it was a literal;
``f function`` → step runs that ended ``[run, step, duration in µs, bytes of what it gave]``, the duration None where
nothing executed to an end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..catalogue import ArtifactNamed, ArtifactSaved, StepCompleted, StepFailed, StepReused
from ..codec import Recorded
from ..rows import RowWriter, framed
from .base import Projection


class Lineage(Projection):
    """The fold."""

    name = "lineage"
    version = 4
    lag_max = 10_000
    events = (StepCompleted, StepReused, StepFailed, ArtifactSaved, ArtifactNamed)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        fields, mark = recorded.fields, rows.mark
        kind = type(fields)
        if kind is ArtifactSaved or kind is ArtifactNamed:
            by = fields.by if kind is ArtifactSaved else None
            mark(b"p" + fields.output[2], [] if by is None else [*by, fields.output[0], True])
            if by is not None:
                mark(b"o" + by[0] + framed(by[1]), fields.output[1:3])
            return
        run, step = fields.run, fields.step
        for taken in fields.inputs:
            mark(b"c" + taken[1], [run, step, taken[0], taken[2]])
        outputs: Sequence[Any] = () if kind is StepFailed else fields.outputs
        size_bytes = 0
        for given in outputs:
            size_bytes += given[5]
        duration_us = fields.duration_us if kind is StepCompleted else None
        mark(b"f" + framed(fields.function), [run, step, duration_us, size_bytes])
        is_executed = kind is not StepReused
        for given in outputs:
            mark(b"p" + given[2], [run, step, given[0], is_executed])
