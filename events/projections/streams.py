"""Streams: the events of each run, of each claimed fingerprint, and under each id.

Tables: ``s stream`` → the positions of its events, as their rows' own; ``i id`` → that of an event's.
"""

from __future__ import annotations

from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection


class Streams(Projection):
    """The fold."""

    name = "streams"
    events = None

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        rows.mark(b"i" + recorded.raw_id)
        stream = recorded.stream
        if stream:
            rows.mark(key("s", bytes([len(stream)]), stream))
