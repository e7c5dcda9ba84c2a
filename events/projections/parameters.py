"""Parameters: what pipelines were called with, in a column for each parameter.

Table: ``p name`` → ``[run, content, text]`` of each run that took a literal for it, in the order in which they began.
"""

from __future__ import annotations

from ..catalogue import RunStarted
from ..codec import Recorded
from ..rows import RowWriter, framed
from .base import Projection


class Parameters(Projection):
    """The fold."""

    name = "parameters"
    lag_max = 10_000
    events = (RunStarted,)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        for name, content, artifact, text, *_ in recorded.fields.parameters:
            if artifact is None:
                rows.mark(parameter_key(name), [recorded.fields.run, content, text])


def parameter_key(name: str) -> bytes:
    """Where the column of a parameter is."""
    return b"p" + framed(name)
