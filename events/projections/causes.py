"""Causes: which environments and code the store has met, and which fingerprints stand for one another.

Tables: ``e environment`` and ``c code function`` → nothing, the event that made the row says that it was captured;
``q fingerprint`` → what may be served for it, ``[[fingerprint, reason], …]``, the one declared last at the front.
"""

from __future__ import annotations

from ..catalogue import CodeCaptured, EnvironmentCaptured, EquivalenceDeclared, EquivalenceRevoked
from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection


class Causes(Projection):
    """The fold."""

    name = "causes"
    events = (EnvironmentCaptured, CodeCaptured, EquivalenceDeclared, EquivalenceRevoked)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        fields = recorded.fields
        if recorded.type == EnvironmentCaptured.TYPE:
            rows.mark(key("e", fields.environment))
        elif recorded.type == CodeCaptured.TYPE:
            rows.mark(key("c", fields.code, fields.function))
        else:
            place = key("q", fields.fingerprint)
            others = [one for one in rows.latest(place) or [] if one[0] != fields.same_as]
            declared = [[fields.same_as, fields.reason]] if recorded.type == EquivalenceDeclared.TYPE else []
            rows.add(place, [*declared, *others])
