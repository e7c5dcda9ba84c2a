"""What one write transaction has learned, kept for the next."""

from __future__ import annotations

from .projector import NewestRows

_ENTRIES_MAX = 100_000


class Known:
    """What a committed transaction has learned, for the next one to use if nobody has committed in between.

    LMDB numbers transactions that change something one by one, so the number tells.
    """

    __slots__ = ("blobs", "number", "rows")

    def __init__(self, number: int) -> None:
        """Nothing yet, of the transaction of this number."""
        self.number = number
        self.blobs: set[bytes] = set()
        """Digests that are in the catalog."""
        self.rows: NewestRows = {}

    def after(self, number: int) -> Known:
        """What is known in the transaction of this number."""
        entries = len(self.blobs) + sum(len(rows) for rows in self.rows.values())
        if number != self.number + 1 or entries > _ENTRIES_MAX:
            return Known(number)
        self.number = number
        return self
