"""What a value shows of itself."""

from __future__ import annotations

from ..immutable import Immutable


class Visualization(Immutable):
    """One picture, text or table that a materializer makes of a value."""

    name: str
    """Unlike that of any other of the same value."""
    media_type: str
    """As in ``image/svg+xml``, ``image/png``, ``text/markdown``, ``text/html`` or ``application/json``."""
    content: bytes | str
    """A `str` is kept as UTF-8."""
