"""Reasons: why a step was served from the cache or executed, each with what was before and what is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from ..materializers.comparing import Leaf

_UNTOLD_MAX = 6
"""How many places are named that only differ."""

_THERE = "there"
"""The text of a part that only one of two values has."""

ReasonKind = Literal[
    "first-run",
    "code",
    "input",
    "parameter",
    "reference",
    "ignored",
    "outputs",
    "evicted",
    "expired",
    "off",
    "refresh",
    "unfinished",
    "not-offered",
    "not-trusted",
    "skipped",
    "divergence",
    "equivalence",
    "untold",
]


class Reason(NamedTuple):
    """One of the causes of a hit or a miss."""

    kind: ReasonKind
    text: str
    """It in one line, the diff and the leaves aside."""
    what: str = ""
    """A symbol of the code, a parameter, a reference, or an output."""
    old: str | None = None
    """Before; None where there was nothing, or nothing that has a text."""
    new: str | None = None
    diff: str = ""
    """Of code: the change of its source, as a unified diff."""
    leaves: tuple[Leaf, ...] = ()
    """Of an input: where inside it the values differ, the first few."""

    def lines(self) -> list[str]:
        """It in full."""
        return [
            self.text,
            *(f"  {line}" for line in leaf_lines(self.leaves)),
            *(f"  {line}" for line in self.diff.splitlines()),
        ]

    def to_dict(self) -> dict[str, Any]:
        """It in plain values, as JSON takes them."""
        return {**self._asdict(), "leaves": [leaf._asdict() for leaf in self.leaves]}


def change(old: str | None, new: str | None) -> str:
    """What became of something, in a few words."""
    if old is None:
        return "changed" if new is None else f"added: {new}"
    return f"removed: {old}" if new is None else f"{old} → {new}"


def time_text(time: datetime) -> str:
    """A time in UTC, to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S}Z"


def leaf_lines(leaves: Iterable[tuple[str, str | None, str | None]]) -> list[str]:
    """Where two values differ, given as path, old and new text; what has no texts to tell is named in one line."""
    lines: list[str] = []
    untold: list[str] = []
    for path, old, new in leaves:
        place = path or "the value"
        if old is new is None:
            untold.append(place)
        else:
            lines.append(f"{place}: {leaf_text(old, new)}")
    if untold:
        more = len(untold) - _UNTOLD_MAX
        names = ", ".join(untold if more <= 1 else untold[:_UNTOLD_MAX])
        lines.append(f"{names} and {more} more differ" if more > 1 else f"{names} differ{'s' * (len(untold) == 1)}")
    return lines


def leaf_text(old: str | None, new: str | None) -> str:
    """What became of one place in a value; of what has no text, only that it came, went or changed."""
    if old is new is None:
        return "differs"
    if _THERE in (old, new):
        return "added" if old is None else "removed"
    return change(old, new)
