"""What a value shows of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Visualization:
    """One picture, text or table that a materializer makes of a value."""

    name: str
    """Unlike that of any other of the same value."""
    media_type: str
    """As in ``image/svg+xml``, ``image/png``, ``text/markdown``, ``text/html`` or ``application/json``."""
    content: bytes | str
    """A `str` is kept as UTF-8."""
