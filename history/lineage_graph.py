"""Lineages as graphs to be drawn: artifact versions and step runs by turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..events.ids import StepRunId
from .graph import Edge, Graph, Vertex
from .lineage_parts import Graphed, Node, Production, VersionKey

_LITERALS_MAX = 4

_Place = VersionKey | StepRunId


def graph_of(lineage: Graphed, vertices_max: int | None = None) -> Graph:
    """A lineage as it is drawn: at most so many vertices, those that were come to first."""
    every = list(dict.fromkeys(_in_order(lineage)))
    kept = {place: str(number) for number, place in enumerate(every[:vertices_max])}
    left_out: Counter[_Place] = Counter()
    edges: list[Edge] = []
    for source, target, label in _edges(lineage):
        if source in kept and target in kept:
            edges.append(Edge(kept[source], kept[target], label))
        else:
            left_out.update(place for place in (source, target) if place in kept)
    vertices = {
        name: _version(lineage.nodes[place], place in lineage.roots, left_out[place])
        if isinstance(place, VersionKey)
        else _step(lineage.steps[place], left_out[place])
        for place, name in kept.items()
    }
    of = ", ".join(lineage.nodes[root].title for root in lineage.roots[:3])
    return Graph(vertices, tuple(edges), len(every) - len(kept), title=f"{lineage.direction} of {of}")


def _in_order(lineage: Graphed) -> Iterator[_Place]:
    """All places, nearest to the roots first."""
    yield from lineage.roots
    for link in lineage.links:
        yield from (link.version, link.step) if link.is_input == (lineage.direction != "upstream") else link[:2]
    yield from lineage.nodes
    yield from lineage.steps


def _edges(lineage: Graphed) -> Iterator[tuple[_Place, _Place, str]]:
    for step, version, name, is_input in lineage.links:
        yield (version, step, name) if is_input else (step, version, name)
    for known, called in lineage.named:
        yield known, called, "named"


def _version(node: Node, is_focus: bool, left_out: int) -> Vertex:
    digest = str(node.content)[:8]
    about = f"{node.type.rpartition('.')[2]} · {digest}" if node.type else digest
    how: tuple[str, ...] = ()
    if node.production is None:
        how = ("not in this log",) if node.version is None else ("saved by hand",)
    tooltip = "\n".join([node.title, *([node.type] if node.type else []), str(node.content), *how])
    return Vertex(node.title, "artifact", (about, *how), tooltip=tooltip, is_focus=is_focus, left_out=left_out)


def _step(made: Production, left_out: int) -> Vertex:
    literals = [f"{one.name} = {one.literal}" for one in made.inputs if one.artifact is None]
    more = [f"… {len(literals) - _LITERALS_MAX} more"] if len(literals) > _LITERALS_MAX else []
    details = (made.run_name, *literals[:_LITERALS_MAX], *more)
    told = [f"{made.step.step} in {made.run_name}", made.function, f"{made.status}, {made.duration_s:.3f} s", *literals]
    return Vertex(made.step.step, "step", details, made.status, tooltip="\n".join(told), left_out=left_out)
