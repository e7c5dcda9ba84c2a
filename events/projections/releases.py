"""Releases: what said that a content need not be kept any more, and what became of its bytes.

Tables: ``c content`` → ``[upto, reason]``; ``e content`` → whether its bytes are gone; ``h content`` → nothing, the
event that made the row says that it is held again. Whether something has held the
content again since is not in these rows: that would cost every step a lookup; `Lineage` and `Pins` know it.
"""

from __future__ import annotations

from ..catalogue import ContentRecomputed, ContentsEvicted, ContentsReleased, Restored
from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection


class Releases(Projection):
    """The fold."""

    name = "releases"
    version = 3
    events = (ContentsReleased, ContentsEvicted, ContentRecomputed, Restored)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        fields = recorded.fields
        if recorded.type == ContentRecomputed.TYPE:
            rows.add(key("e", fields.content), False)
            return
        if recorded.type == Restored.TYPE:
            for content in fields.held:
                rows.mark(key("h", content))
            return
        for content in fields.contents:
            if recorded.type == ContentsEvicted.TYPE:
                rows.add(key("e", content), True)
            else:
                earlier = rows.latest(key("c", content))
                upto = fields.upto if earlier is None else max(fields.upto, earlier[0])
                rows.add(key("c", content), [upto, fields.reason])
