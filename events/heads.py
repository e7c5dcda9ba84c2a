"""What became of the log since heads of it were kept elsewhere, told as exactly as the heads allow."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from .hash_tree import HashTree
from .merkle import TreeHead


class HeadState(StrEnum):
    """How the log is to a head."""

    REACHED = "reached"
    """It begins with all that is under the head, unchanged."""
    REWRITTEN = "rewritten"
    """It has other events than those under the head, chained anew."""
    CUT = "cut back"
    """It ends before the head."""
    FOREIGN = "foreign"
    """It leads to a later head, and so never had this one."""
    UNKNOWN = "unknown"
    """An event before the head is damaged."""


class HeadCheck(NamedTuple):
    """What a head tells."""

    head: TreeHead
    state: HeadState
    what: str
    """The same in a sentence."""


def check_heads(tree: HashTree, heads: Iterable[TreeHead], *, sound: int, end: int) -> list[HeadCheck]:
    """Compare a log with heads of it, in their order; each one bounds where a change can be.

    Args:
        tree: Over the log.
        heads: From elsewhere.
        sound: The event up to which the chain was verified.
        end: The log's last event.
    """
    known = sorted(set(heads))
    reached = {head for head in known if head.seq <= sound and tree.leads_to(head)}
    newest = max((head.seq for head in reached), default=0)
    changed = min((head.seq for head in known if newest < head.seq <= sound), default=None)
    return [_check(head, head in reached, newest, changed, sound, end) for head in known]


def _check(head: TreeHead, is_reached: bool, newest: int, changed: int | None, sound: int, end: int) -> HeadCheck:
    place = f"the head of event {head.seq:,}"
    if is_reached:
        return HeadCheck(head, HeadState.REACHED, f"the log goes on from {place}")
    if head.seq > end:
        return HeadCheck(head, HeadState.CUT, f"the log was cut back: it ends at event {end:,}, before {place}")
    if head.seq > sound:
        return HeadCheck(head, HeadState.UNKNOWN, f"nothing is known of {place}: event {sound + 1:,} is damaged")
    if changed is None or head.seq <= newest:
        what = f"{place} is not of this log, which leads to the head of event {newest:,}"
        return HeadCheck(head, HeadState.FOREIGN, what)
    where = f"at event {newest + 1:,}" + (f" or one up to {changed:,}" if changed > newest + 1 else "")
    return HeadCheck(head, HeadState.REWRITTEN, f"the log was rewritten under {place}, first {where}")
