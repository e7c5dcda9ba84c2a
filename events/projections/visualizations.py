"""Visualizations: what each content shows of itself.

Table: ``c content`` → ``[[[name, media type, blob, size_bytes], …], [problem, …]]``, the newest of which counts.
"""

from __future__ import annotations

from ..catalogue import ContentVisualized
from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection


class Visualizations(Projection):
    """The fold."""

    name = "visualizations"
    events = (ContentVisualized,)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        fields = recorded.fields
        rows.add(key("c", fields.content), [fields.visualizations, fields.problems])
