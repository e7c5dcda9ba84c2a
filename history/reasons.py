"""Reasons: why a step was served from the cache or executed, each with what was before and what is."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from ..materializers.comparing import Leaf

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
        inside = [f"  {leaf.path or 'the value'}{_told(leaf)}" for leaf in self.leaves]
        return [self.text, *inside, *(f"  {line}" for line in self.diff.splitlines())]

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


def _told(leaf: Leaf) -> str:
    return " differs" if leaf.old is leaf.new is None else f": {change(leaf.old, leaf.new)}"
