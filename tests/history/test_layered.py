"""The layered layout: what may be said of every graph."""

from __future__ import annotations

from itertools import combinations, pairwise

from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.history.layered import Gaps, Layout, Place, Size, layout

Edges = list[tuple[str, str]]
_GAPS = Gaps(along=10.0, across=4.0)


@st.composite
def graphs(draw: st.DrawFn, *, acyclic: bool = False) -> tuple[dict[str, Size], Edges]:
    """Up to fourteen vertices of any sizes, and any edges between them."""
    extent = st.floats(1.0, 200.0, allow_nan=False)
    sizes = {str(number): Size(draw(extent), draw(extent)) for number in range(draw(st.integers(0, 14)))}
    ends = st.sampled_from(sorted(sizes)) if sizes else st.nothing()
    edges = draw(st.lists(st.tuples(ends, ends), max_size=30)) if sizes else []
    return sizes, [edge for edge in edges if int(edge[0]) < int(edge[1])] if acyclic else edges


def crossings(placed: Layout) -> int:
    """How many pairs of straight stretches between the same layers cross."""
    stretches = [pair for route in placed.routes.values() for pair in list(pairwise(route))[1::2]]
    return sum(
        one[0].along == other[0].along and (one[0].across - other[0].across) * (one[1].across - other[1].across) < -1e-6
        for one, other in combinations(stretches, 2)
    )


@given(graphs())
def test_no_two_vertices_overlap_and_all_are_within_the_size(graph: tuple[dict[str, Size], Edges]) -> None:
    sizes, edges = graph
    placed = layout(sizes, edges, _GAPS)
    assert placed.places.keys() == sizes.keys()
    for name, (along, across) in placed.places.items():
        assert along - sizes[name].along / 2 >= -1e-6
        assert across - sizes[name].across / 2 >= -1e-6
        assert along + sizes[name].along / 2 <= placed.size.along + 1e-6
        assert across + sizes[name].across / 2 <= placed.size.across + 1e-6
    for one, other in combinations(sizes, 2):
        apart_along = abs(placed.places[one].along - placed.places[other].along)
        apart_across = abs(placed.places[one].across - placed.places[other].across)
        is_beside = apart_along >= (sizes[one].along + sizes[other].along) / 2 - 1e-6
        assert is_beside or apart_across >= (sizes[one].across + sizes[other].across) / 2 - 1e-6


@given(graphs(acyclic=True))
def test_without_cycles_all_edges_lead_forward(graph: tuple[dict[str, Size], Edges]) -> None:
    sizes, edges = graph
    placed = layout(sizes, edges, _GAPS)
    for source, target in edges:
        assert placed.places[source].along < placed.places[target].along


@given(graphs())
def test_a_route_begins_and_ends_at_the_borders_of_what_it_joins(graph: tuple[dict[str, Size], Edges]) -> None:
    sizes, edges = graph
    placed = layout(sizes, edges, _GAPS)
    assert placed.routes.keys() == {edge for edge in edges if edge[0] != edge[1]}
    for ends, route in placed.routes.items():
        for name, point in zip(ends, (route[0], route[-1]), strict=True):
            middle = placed.places[name]
            assert abs(abs(point.along - middle.along) - sizes[name].along / 2) < 1e-6
            assert abs(point.across - middle.across) < 1e-6
        assert len(route) % 2 == 0
        assert all(one.across == other.across for one, other in list(pairwise(route))[::2])


@given(graphs())
@settings(max_examples=examples(30))
def test_the_same_graph_is_laid_out_alike(graph: tuple[dict[str, Size], Edges]) -> None:
    assert layout(*graph, _GAPS) == layout(*graph, _GAPS)


@given(st.integers(2, 60), st.randoms(use_true_random=False))
@settings(max_examples=examples(20))
def test_a_tree_has_no_crossings(count: int, random: object) -> None:
    parents = [random.randrange(place) for place in range(1, count)]  # type: ignore[attr-defined]
    edges = [(str(parent), str(child)) for child, parent in enumerate(parents, start=1)]
    random.shuffle(edges)  # type: ignore[attr-defined]
    assert crossings(layout({str(one): Size(10, 10) for one in range(count)}, edges)) == 0


def test_crossings_that_the_given_order_has_are_taken_out() -> None:
    edges = [(f"a{number}", f"b{7 - number}") for number in range(8)]
    edges += [(f"b{number}", f"c{(number * 3) % 8}") for number in range(8)]
    sizes = {f"{layer}{number}": Size(10, 10) for layer in "abc" for number in range(8)}
    assert crossings(layout(sizes, edges)) == 0


def test_a_long_edge_goes_straight_past_what_is_between() -> None:
    sizes = {name: Size(10, 10) for name in "abcd"}
    placed = layout(sizes, [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")])
    passed = placed.routes["a", "d"][2:-2]
    assert len({round(point.across, 6) for point in passed}) == 1
    assert abs(passed[0].across - placed.places["b"].across) >= 5


def test_nothing_is_laid_out_as_nothing() -> None:
    assert layout({}, []) == Layout({}, {}, Size(0.0, 0.0))
    assert layout({"a": Size(4, 6)}, [("a", "a")]).places == {"a": Place(2.0, 3.0)}
