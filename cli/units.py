"""Amounts as people read them."""

from __future__ import annotations

NOTHING = "-"
"""Stands in a column for a value that is not there, so that columns can still be told apart."""

ID_DIGITS = 8
"""How many digits of an id or digest text output shows; JSON has them whole."""


def duration_text(duration_s: float | None) -> str:
    """Seconds to the millisecond below a minute, else ``h:mm:ss``."""
    if duration_s is None:
        return NOTHING
    if duration_s < 60:
        return f"{duration_s:.3f} s"
    minutes, seconds = divmod(round(duration_s), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def size_text(size_bytes: int) -> str:
    """Bytes in the largest binary unit that gives at least 1."""
    size, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size_bytes} B" if unit == "B" else f"{size:.1f} {unit}"


def time_text(time: str) -> str:
    """An ISO time in UTC to the second."""
    return f"{time[:19]}Z"
