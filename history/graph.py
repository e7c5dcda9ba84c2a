"""Graphs to be drawn: what is shown of each vertex, and what leads to what; how they are drawn is others' business."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Vertex:
    """One thing in a graph, as it is shown. Texts may hold anything; whoever draws makes them harmless."""

    title: str
    kind: str = "artifact"
    """``artifact`` or ``step``; decides the shape."""
    details: tuple[str, ...] = ()
    """Lines below the title, each short."""
    status: str | None = None
    """As of a step run: completed, cached, failed, running and the like; decides the colour of its mark."""
    tooltip: str = ""
    """What is shown where the pointer rests on it; by default its whole title and details."""
    link: str | None = None
    """Where it leads, as ``#name`` in the same page."""
    is_focus: bool = False
    """Whether it is what the graph is about."""
    left_out: int = 0
    """How many of its neighbours are not in the graph."""


class Edge(NamedTuple):
    """One vertex leads to another one."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """Vertices by their keys, and edges between them. It may have cycles, parallel edges and parts apart."""

    vertices: dict[str, Vertex]
    edges: tuple[Edge, ...]
    left_out: int = 0
    """How many vertices there are beside these."""
    title: str = field(default="", kw_only=True)

    def bounded(self, vertices_max: int) -> Graph:
        """At most so many vertices, those nearest to what the graph is about; the others are counted."""
        if len(self.vertices) <= vertices_max:
            return self
        near = _neighbours(self)
        kept = _nearest(near, [one for one, vertex in self.vertices.items() if vertex.is_focus], vertices_max)
        vertices = {
            name: replace(vertex, left_out=vertex.left_out + sum(other not in kept for other in near[name]))
            for name, vertex in self.vertices.items()
            if name in kept
        }
        edges = tuple(edge for edge in self.edges if edge.source in kept and edge.target in kept)
        left_out = self.left_out + len(self.vertices) - len(vertices)
        return Graph(vertices, edges, left_out, title=self.title)


def printable(shown: str) -> str:
    """A text with what can't be printed written out: controls, newlines, marks that turn directions, surrogates."""
    if shown.isprintable():
        return shown
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in shown)


def _neighbours(graph: Graph) -> dict[str, dict[str, None]]:
    """What each vertex is joined to, whichever way, once each and in the order of the edges."""
    near: dict[str, dict[str, None]] = {name: {} for name in graph.vertices}
    for source, target, _ in graph.edges:
        if source != target:
            near[source][target] = near[target][source] = None
    return near


def _nearest(near: dict[str, dict[str, None]], begin: Iterable[str], count: int) -> set[str]:
    """So many vertices, breadth first: from these, then from any that those don't reach."""
    kept: set[str] = set()
    for start in (*begin, *near):
        waiting = deque([start])
        while waiting and len(kept) < count:
            reached = waiting.popleft()
            if reached not in kept:
                kept.add(reached)
                waiting.extend(other for other in near[reached] if other not in kept)
    return kept
