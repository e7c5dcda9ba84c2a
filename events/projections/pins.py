"""Pins: which content each label holds.

Tables: ``l label`` → ``[label, content, expires_us]``, or ``[label, None, None]`` once it was removed;
``c content`` → labels that pin it, with when they expire: ``[[label, expires_us], …]``.
"""

from __future__ import annotations

from ..catalogue import PinAdded, PinRemoved
from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection


class Pins(Projection):
    """The fold."""

    name = "pins"
    events = (PinAdded, PinRemoved)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        fields = recorded.fields
        self._lift(rows, fields.label)
        if recorded.type == PinRemoved.TYPE:
            rows.add(key("l", fields.label), [fields.label, None, None])
            return
        rows.add(key("l", fields.label), [fields.label, fields.content, fields.expires_us])
        labels = rows.latest(key("c", fields.content)) or []
        rows.add(key("c", fields.content), [*labels, [fields.label, fields.expires_us]])

    def _lift(self, rows: RowWriter, label: str) -> None:
        """Take the label from the content that it pins, if any."""
        pinned = rows.latest(key("l", label))
        if pinned is not None and pinned[1] is not None:
            labels = rows.latest(key("c", pinned[1])) or []
            rows.add(key("c", pinned[1]), [pair for pair in labels if pair[0] != label])
