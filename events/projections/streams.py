"""Streams: the events of each run, of each claimed fingerprint, and under each id.

Tables: ``s stream`` → the positions of its events, as their rows' own; ``i id`` → that of an event's.
"""

from __future__ import annotations

from ..codec import Recorded
from ..rows import RowWriter
from .base import Projection


class Streams(Projection):
    """The fold."""

    name = "streams"
    lag_max = 10_000
    events = None

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        place, stream = id_key(recorded.raw_id), recorded.stream
        rows.mark_each((place, stream_key(stream)) if stream else (place,))


def id_key(raw_id: bytes) -> bytes:
    """Where the position of the event of an id is."""
    return b"i" + raw_id


def stream_key(stream: bytes) -> bytes:
    """Where the positions of a stream's events are."""
    return b"s" + bytes((len(stream),)) + stream
