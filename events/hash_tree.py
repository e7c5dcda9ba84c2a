"""The hash tree over a log: its leaves are the chain hashes of the events, so its root commits to all that was written.

It is a function of the log alone, and commits write nothing of it: roots of complete subtrees from `BLOCK_EVENTS`
leaves on are kept once a question needed them, and below that they are made from the log.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import LogCorrupt
from .kept_roots import KeptRoots
from .log import Database, Log
from .merkle import TreeHead, audit_path, complete_root, extension_path, leaf, node, root, root_by_path

_BLOCK_LEVEL = 8
BLOCK_EVENTS = 1 << _BLOCK_LEVEL
"""A kept root covers so many events, or a power of two times as many."""
_PUT_ROWS = 1024


class Fault(NamedTuple):
    """Where what is kept of the tree and the log are not about the same events."""

    what: str
    first: int
    """The first event that it may be."""
    last: int


class HashTree:
    """The tree over the log of one environment. Threads may share it."""

    def __init__(self, environment: Database, log: Log, *, keeps: bool) -> None:
        """Look at this log; keep the roots that are made, or write nothing."""
        self._log = log
        self._kept = KeptRoots(environment)
        self._keeps = keeps

    def head(self, seq: int) -> TreeHead:
        """The head after an event. Cost: a millisecond, and once about 1.5 µs for each event that is new."""
        with_kept = _Nodes(self._log, self._kept, keeps=self._keeps)
        found = TreeHead(seq, root(seq, with_kept.subtree))
        with_kept.keep()
        return found

    def inclusion(self, seq: int, head: TreeHead) -> list[bytes]:
        """The audit path of an event that is not after a head. Cost: as `head`; its length is log₂ of the head's seq.

        Raises:
            LogCorrupt: The log does not lead to this head.
        """
        (entry,) = self._log.chains(seq - 1, 1)
        for believes in (True, False):
            nodes = _Nodes(self._log, self._kept, keeps=self._keeps, believes=believes)
            path = audit_path(seq - 1, head.seq, nodes.subtree)
            nodes.keep()
            if root_by_path(leaf(entry), seq - 1, head.seq, path) == head.root:
                return path
        raise LogCorrupt(
            f"the log does not lead to the head of event {head.seq:,}",
            hint="Run `lineal verify --head` with this head and with older ones.",
        )

    def extension(self, old: TreeHead, new: TreeHead) -> list[bytes]:
        """What shows that one head extends another, where the log leads to both. Cost: as `head`."""
        nodes = _Nodes(self._log, self._kept, keeps=self._keeps)
        path = extension_path(old.seq, new.seq, nodes.subtree)
        nodes.keep()
        return path

    def leads_to(self, head: TreeHead) -> bool:
        """Whether the log, up to where its chain was verified, has the very events that are under this head.

        What is kept is not believed: a path from the chain hash of the head's last event, which commits to all events
        before, has to lead to the head's root.
        """
        if head.seq == 0:
            return head == self.head(0)
        try:
            self.inclusion(head.seq, head)
        except LogCorrupt:
            return False
        return True

    def fault(self, upto: int) -> Fault | None:
        """The first place up to an event where another root is kept than the log gives, or one of more than it has."""
        pending: list[bytes] = []
        for block in range(upto >> _BLOCK_LEVEL):
            level, index = _BLOCK_LEVEL, block
            found = complete_root(self._log.chains(block << level, BLOCK_EVENTS))
            while True:
                if self._kept.differs(level, index, found):
                    first, last = (index << level) + 1, index + 1 << level
                    return Fault(f"the hash tree kept of the events {first:,} to {last:,} is of others", first, last)
                if not index & 1:
                    break
                found = node(pending.pop(), found)
                level, index = level + 1, index >> 1
            pending.append(found)
        reached, end = self._kept.extent(_BLOCK_LEVEL)
        if reached > end:
            return Fault(f"the hash tree kept is over {reached:,} events, and the log has {end:,}", end + 1, reached)
        return None

    def forget(self) -> None:
        """Drop what is kept; it is made again where it is needed."""
        self._kept.forget()


class _Nodes:
    """The subtrees that one question needs: those that are kept, and from the log those that are not."""

    def __init__(self, log: Log, kept: KeptRoots, *, keeps: bool, believes: bool = True) -> None:
        self._log = log
        self._kept = kept
        self._keeps = keeps
        self._believes = believes
        self._made: dict[tuple[int, int], bytes] = {}

    def subtree(self, level: int, index: int) -> bytes:
        found = self._kept.get(level, index) if self._believes and level >= _BLOCK_LEVEL else None
        return self._anew(level, index) if found is None else found

    def _anew(self, level: int, index: int) -> bytes:
        if level <= _BLOCK_LEVEL:
            found = complete_root(self._log.chains(index << level, 1 << level))
        else:
            found = node(self.subtree(level - 1, 2 * index), self.subtree(level - 1, 2 * index + 1))
        if self._keeps and level >= _BLOCK_LEVEL:
            self._made[level, index] = found
            if len(self._made) >= _PUT_ROWS:
                self.keep()
        return found

    def keep(self) -> None:
        """Keep what was made."""
        if self._made:
            self._kept.put(self._made)
            self._made.clear()
