"""Graphs of NetworkX: nodes and edges with their attributes, in the order in which they are gone through."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

import networkx as nx

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .base import Materializer, PartReader, PartWriter, shown
from .graph_drawing import draw_graph
from .visualization import Visualization

_NODES_MAX, _EDGES_MAX = 120, 600
"""So many are drawn: more can't be taken in."""
_KINDS = {"Graph": nx.Graph, "DiGraph": nx.DiGraph, "MultiGraph": nx.MultiGraph, "MultiDiGraph": nx.MultiDiGraph}


class Graph(Materializer[Any]):
    """Graphs, directed or not, with one edge or several between two nodes.

    Part ``graph`` is the graph's attributes, ``nodes`` a list of nodes and theirs, ``edges`` a list of edges' keys and
    attributes, and ``neighbours`` for each node a flat list of neighbours and edges by number.
    """

    format: ClassVar[str] = "networkx.Graph/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        numbers = {node: number for number, node in enumerate(value)}
        known: dict[int, int] = {}
        edges: list[Any] = []
        neighbours = [_row(value, row, numbers, known, edges) for row in value.adj.values()]
        parts.value("graph", value.graph, step=".graph")
        parts.value("nodes", [(node, attributes) for node, attributes in value.nodes.items()], step=".nodes")
        parts.value("edges", edges, step=".edges")
        parts.value("neighbours", neighbours)
        if value.is_directed():
            parts.value("before", [[numbers[node] for node in row] for row in value.pred.values()])
        return type(value).__name__

    def load(self, head: Any, parts: PartReader) -> Any:
        made: Any = _KINDS[head]()
        attributes, nodes, edges = (parts.value(name) for name in ("graph", "nodes", "edges"))
        made.graph.update(attributes)
        made.add_nodes_from(nodes)
        names = [node for node, _ in nodes]
        adjacency = {name: {} for name in names} if made.is_directed() else made._adj
        for name, row in zip(names, parts.value("neighbours"), strict=True):
            _fill(made, adjacency[name], row, names, edges)
        if made.is_directed():
            for name, row in zip(names, parts.value("before"), strict=True):
                for number in row:
                    made._pred[name][names[number]] = adjacency[names[number]][name]
            for name, row in adjacency.items():
                made._succ[name].update(row)
        _check(made, len(edges))
        return made

    def metadata(self, value: Any) -> dict[str, Plain]:
        kind = {"directed": value.is_directed(), "multigraph": value.is_multigraph()}
        return {"nodes": value.number_of_nodes(), "edges": value.number_of_edges(), **kind}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        if value:
            yield Visualization("graph", "image/svg+xml", _drawn(value))


def _drawn(graph: Any) -> str:
    """The graph, or of a large one the nodes with the most edges and what joins those."""
    count, title = len(graph), f"{len(graph):,} nodes, {graph.number_of_edges():,} edges"
    kept = list(graph)
    if count > _NODES_MAX:
        degrees = dict(graph.degree())
        most = set(sorted(graph, key=lambda node: -degrees[node])[:_NODES_MAX])
        kept = [node for node in graph if node in most]
        title = f"{_NODES_MAX} of {title}: those with the most"
    numbers = {node: number for number, node in enumerate(kept)}
    found = (
        (one, other, data) for one, other, data in graph.edges(kept, data=True) if other in numbers and one in numbers
    )
    edges = [(numbers[one], numbers[other], _said(data)) for one, other, data in islice(found, _EDGES_MAX)]
    return draw_graph(title, [shown(node) for node in kept], edges, is_directed=graph.is_directed())


def _said(attributes: dict[Any, Any]) -> str:
    return ", ".join(f"{shown(name)}: {shown(value)}" for name, value in islice(attributes.items(), 10))


def _row(graph: Any, row: Any, numbers: dict[Any, int], known: dict[int, int], edges: list[Any]) -> list[int]:
    """The neighbours of one node; edges that are met for the first time are added to the list."""
    flat: list[int] = []
    for neighbour, found in row.items():
        pairs = found.items() if graph.is_multigraph() else [(None, found)]
        for key, attributes in pairs:
            # Both ends of an edge share its attributes: that is what makes it one edge.
            number = known.setdefault(id(attributes), len(edges))
            if number == len(edges):
                edges.append((key, attributes))
            flat += (numbers[neighbour], number)
    return flat


def _fill(graph: Any, neighbours: dict[Any, Any], row: list[int], names: list[Any], edges: list[Any]) -> None:
    for place, number in zip(row[::2], row[1::2], strict=True):
        key, attributes = edges[number]
        if type(attributes) is not dict or min(place, number) < 0:
            raise ManifestCorrupt("an edge has no attributes, or ends at no node")
        if graph.is_multigraph():
            neighbours.setdefault(names[place], graph.edge_key_dict_factory())[key] = attributes
        else:
            neighbours[names[place]] = attributes


def _check(graph: Any, edges: int) -> None:
    """Whether each edge is seen from both its ends."""
    other = graph._pred if graph.is_directed() else graph._adj
    for node, row in graph._adj.items():
        if any(other[neighbour].get(node) != found for neighbour, found in row.items()):
            raise ManifestCorrupt("an edge is not seen from both its ends")
    if graph.number_of_edges() != edges:
        raise ManifestCorrupt("a graph has other edges than its nodes have neighbours")
