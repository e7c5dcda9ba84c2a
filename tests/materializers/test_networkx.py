from __future__ import annotations

from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
import pytest

from lineal.cas import Manifest, MemoryBlobs
from lineal.errors import ManifestCorrupt
from lineal.materializers import load, runs_code, save

RoundTrip = Callable[[Any], tuple[Any, Manifest]]


def filled(kind: Any) -> Any:
    graph = kind(name="roads")
    graph.add_node(("z", 1), colour={"red"})
    graph.add_edges_from([("c", "a"), ("a", "b"), (("z", 1), "a"), ("b", "b"), ("b", "c")], weight=2)
    graph.add_edge("c", "a", weight=3.5)
    graph.add_edge("a", "c", path=np.arange(3))
    return graph


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph])
def test_a_graph_comes_back_with_all_that_is_in_it_in_order(round_trip: RoundTrip, kind: Any) -> None:
    for graph in (filled(kind), kind(), nx.path_graph(5, kind)):
        loaded, manifest = round_trip(graph)
        assert type(loaded) is kind
        assert loaded.graph == graph.graph
        assert list(loaded.nodes(data=True)) == list(graph.nodes(data=True))
        assert [repr(edge) for edge in loaded.edges(data=True)] == [repr(edge) for edge in graph.edges(data=True)]
        assert [list(row) for row in loaded.adj.values()] == [list(row) for row in graph.adj.values()]
        if graph.is_directed():
            assert [list(row) for row in loaded.pred.values()] == [list(row) for row in graph.pred.values()]
        assert loaded.number_of_edges() == graph.number_of_edges()
        assert not runs_code(manifest, MemoryBlobs())


def test_an_edge_changed_from_one_end_is_changed_from_the_other(round_trip: RoundTrip) -> None:
    for kind in (nx.Graph, nx.DiGraph):
        loaded, _ = round_trip(filled(kind))
        loaded.adj["c"]["a"]["weight"] = 9
        seen = loaded.pred["a"]["c"] if kind is nx.DiGraph else loaded.adj["a"]["c"]
        assert seen["weight"] == 9


def test_an_edge_that_only_one_end_knows_is_damage() -> None:
    graph = nx.path_graph(3)
    del graph._adj[1][0]
    with pytest.raises(ManifestCorrupt):
        load(save(graph, MemoryBlobs()).manifest, MemoryBlobs())


def test_metadata_counts_nodes_and_edges() -> None:
    expected = {"nodes": 3, "edges": 2, "directed": False, "multigraph": False}
    assert save(nx.path_graph(3), MemoryBlobs()).metadata == expected
