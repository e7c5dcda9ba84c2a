"""Amounts as people read them."""

from __future__ import annotations

import math
from datetime import timedelta

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


_AGE_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SIZE_UNITS_BYTES = {
    **{f"{letter}B": 1000**power for power, letter in enumerate("kMGT", start=1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", start=1)},
    "B": 1,
}


def age(text: str) -> timedelta:
    """An argument that is an age: a number and one of s, m, h, d, w, as in ``30d``."""
    seconds = float(text[:-1]) * _AGE_UNITS_S.get(text[-1:], math.nan)
    if not 0 <= seconds < 1e12:
        raise ValueError(text)
    return timedelta(seconds=seconds)


def size_bytes(text: str) -> int:
    """An argument that is a size: a number and B, kB, MB, GB, TB, or KiB, MiB, GiB, TiB, as in ``1.5GB``."""
    unit = text.lstrip("0123456789.")
    number = float(text.removesuffix(unit)) * _SIZE_UNITS_BYTES.get(unit.strip(), math.nan)
    if not 0 <= number < 2**63:
        raise ValueError(text)
    return int(number)


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
