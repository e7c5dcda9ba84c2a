"""Matching: what a new buffer shares with its predecessor."""

from __future__ import annotations

from dataclasses import dataclass

from .source import Source


@dataclass(frozen=True, slots=True)
class Match:
    """Equal bytes in the new and in the old."""

    start: int
    origin: int
    size_bytes: int


def matches(new: Source, old: Source, *, item_bytes: int = 1) -> list[Match]:
    """The bytes that both begin and end with."""
    one, other = bytearray(new.size_bytes), bytearray(old.size_bytes)
    new.read_into(0, memoryview(one))
    old.read_into(0, memoryview(other))
    least = min(len(one), len(other))
    first = next((place for place in range(least) if one[place] != other[place]), least)
    last = next((back for back in range(least - first) if one[-1 - back] != other[-1 - back]), least - first)
    found = [Match(0, 0, first), Match(len(one) - last, len(other) - last, last)]
    return [match for match in found if match.size_bytes]
