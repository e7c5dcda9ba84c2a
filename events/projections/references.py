"""References: which events name a digest, as content or as any other blob that must stay because of them.

Table: ``r digest`` → the positions of the events, as their rows' own.
"""

from __future__ import annotations

from ..codec import Recorded
from ..rows import RowWriter
from .base import Projection


class References(Projection):
    """The fold."""

    name = "references"
    lag_max = 10_000
    events = None

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        named = recorded.named
        if named:
            rows.mark_each([b"r" + ref for ref in (named if len(named) == 1 else dict.fromkeys(named))])
