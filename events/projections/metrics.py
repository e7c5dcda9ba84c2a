"""Metrics: the last value of each metric of a subject; the events that made its rows have the points.

Table: ``m subject metric`` → ``[metric, points so far, step, time_us, value]``.
"""

from __future__ import annotations

from typing import Any

from ..catalogue import MetricsLogged
from ..codec import Recorded
from ..rows import RowWriter, framed
from .base import Projection
from .subjects import subject_key


class Metrics(Projection):
    """The fold."""

    name = "metrics"
    events = (MetricsLogged,)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        subject = recorded.fields.subject
        for name, points, step, time_us, value, *_ in recorded.fields.latest:
            place = metric_key(subject, name)
            before = rows.latest(place)
            rows.add(place, [name, points + (0 if before is None else before[1]), step, time_us, value])


def metric_key(subject: Any, metric: str | None = None) -> bytes:
    """Where a metric of a subject is; without one, what the keys of all of the subject's begin with."""
    return b"m" + subject_key(subject) + (b"" if metric is None else framed(metric))
