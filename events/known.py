"""What one write transaction has learned, kept for the next."""

from __future__ import annotations

from .projection_writer import ProjectionWriter

_ENTRIES_MAX = 100_000


class Known:
    """What a committed transaction has learned, for the next one to use if nobody has committed in between.

    LMDB numbers transactions that change something one by one, so the number tells; one that changes nothing leaves its
    number to the next.
    """

    __slots__ = ("blobs", "number", "projections")

    def __init__(self, number: int) -> None:
        """Nothing yet, of the transaction of this number."""
        self.number = number
        self.blobs: set[bytes] = set()
        """Digests that are in the catalog."""
        self.projections: ProjectionWriter | None = None
        """With the newest rows that it knows of."""

    def after(self, number: int) -> Known:
        """What is known in the transaction of this number."""
        entries = len(self.blobs) + (0 if self.projections is None else self.projections.known_rows)
        if number != self.number + 1 or entries > _ENTRIES_MAX:
            return Known(number)
        self.number = number
        return self
