"""Releases: what said that a content need not be kept any more.

Table: ``c content`` → ``[upto, reason]``. Whether something has held the content again since is not in these rows:
that would cost every step a lookup; `Lineage` and `Pins` know it.
"""

from __future__ import annotations

from ..catalogue import ContentsReleased
from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection


class Releases(Projection):
    """The fold."""

    name = "releases"
    events = (ContentsReleased,)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        event = recorded.event
        assert isinstance(event, ContentsReleased)
        for content in event.contents:
            place = key("c", content)
            earlier = rows.latest(place)
            rows.add(place, [event.upto if earlier is None else max(event.upto, earlier[0]), event.reason])
