"""The agenda of a run: which nodes of its graph are left, and which of them have all they take."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from .graph import Node


class Agenda:
    """Nodes to run: the first ready one, in the order they were added, is next. Nodes may come while it is worked off.

    Not for several threads at once.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes: list[Node] = []
        self._missing: list[int] = []
        self._ready: list[int] = []
        self._left: dict[int, None] = {}
        self._children: dict[str, list[int]] = {}
        self._done: set[str] = set()
        self._lost: set[str] = set()
        """What failed, or was left out for that."""
        for node in nodes:
            self.add(node)

    def __bool__(self) -> bool:
        return bool(self._left)

    def add(self, node: Node) -> bool:
        """Take a node, whose parents were added before or are done; say whether it can run, as none of them failed."""
        place, parents = len(self._nodes), node.parents
        missing = [parent for parent in parents if parent not in self._done] if parents else ()
        if missing and not self._lost.isdisjoint(missing):
            return False
        self._nodes.append(node)
        self._missing.append(len(missing))
        self._left[place] = None
        if not missing:
            heapq.heappush(self._ready, place)
        for parent in missing:
            self._children.setdefault(parent, []).append(place)
        return True

    def next_ready(self) -> Node | None:
        """Take the next node that can run; None if there is none yet."""
        if not self._ready:
            return None
        place = heapq.heappop(self._ready)
        del self._left[place]
        return self._nodes[place]

    def coming(self, count: int) -> list[Node]:
        """The next nodes that can run, so many at most, in order; they stay to be taken."""
        places = [heapq.heappop(self._ready) for _ in range(min(count, len(self._ready)))]
        for place in places:
            heapq.heappush(self._ready, place)
        return [self._nodes[place] for place in places]

    def done(self, name: str) -> None:
        """Hear that a node's outputs are there."""
        self._done.add(name)
        for place in self._children.pop(name, ()):
            self._missing[place] -= 1
            if not self._missing[place] and place in self._left:
                heapq.heappush(self._ready, place)

    def drop_after(self, name: str) -> list[Node]:
        """Leave out the nodes that can't run because one failed, and give them."""
        dropped: list[int] = []
        failed = [name]
        while failed:
            lost = failed.pop()
            self._lost.add(lost)
            for place in self._children.pop(lost, ()):
                if place in self._left:
                    del self._left[place]
                    dropped.append(place)
                    failed.append(self._nodes[place].name)
        return [self._nodes[place] for place in sorted(dropped)]

    def is_done(self, name: str) -> bool:
        """Whether a node's outputs are there."""
        return name in self._done

    def left(self) -> list[Node]:
        """The nodes that nobody took."""
        return [self._nodes[place] for place in self._left]
