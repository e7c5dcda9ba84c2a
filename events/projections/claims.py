"""Claims: which run computes a fingerprint.

Table: ``f fingerprint`` → ``[run, step]``, or ``[]`` once the claim has ended. Each event of the fingerprint's stream
makes one row, so the newest row tells where the stream ends.
"""

from __future__ import annotations

from ..catalogue import ClaimEnded, FingerprintClaimed
from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection


class Claims(Projection):
    """The fold."""

    name = "claims"
    events = (FingerprintClaimed, ClaimEnded)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        fields = recorded.fields
        place = key("f", fields.fingerprint)
        if recorded.type == FingerprintClaimed.TYPE:
            rows.add(place, [fields.by, fields.step])
        else:
            claim = rows.latest(place) or []
            rows.add(place, [] if claim and claim[0] == fields.by else claim)
