"""Pictures of graphs: bounded, well-formed and harmless whatever names say."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.history.graph import Edge, Graph, Vertex
from lineal.history.picture import svg

_SVG = "{http://www.w3.org/2000/svg}"
_DRAWN = {"svg", "title", "style", "rect", "g", "a", "text", "path", "polygon", "circle"}
HOSTILE = "</text><script>alert(1)</script>\x1b[31m\x00\u202e&\"'\ud800]]>"


def star(leaves: int) -> Graph:
    """One vertex that all others come from."""
    vertices = {"hub": Vertex("hub", is_focus=True)} | {f"{one}": Vertex(f"leaf {one}") for one in range(leaves)}
    return Graph(vertices, tuple(Edge("hub", f"{one}") for one in range(leaves)))


def drawn(graph: Graph, **how: object) -> ElementTree.Element:
    return ElementTree.fromstring(svg(graph, **how))  # type: ignore[arg-type]


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4), st.sampled_from(["right", "down"]))
@settings(max_examples=examples(60))
def test_whatever_names_say_the_picture_is_well_formed(names: list[str], direction: str) -> None:
    vertices = {str(place): Vertex(name, details=(name,), tooltip=name) for place, name in enumerate(names)}
    edges = tuple(Edge("0", str(place), name) for place, name in enumerate(names))
    assert drawn(Graph(vertices, edges, title=names[0]), direction=direction).tag == f"{_SVG}svg"


def test_names_can_neither_run_nor_hide_anything() -> None:
    vertex = Vertex(HOSTILE, HOSTILE, (HOSTILE,), HOSTILE, HOSTILE, "javascript:alert(1)")
    text = svg(Graph({HOSTILE: vertex, "b": vertex}, (Edge(HOSTILE, "b", HOSTILE),), title=HOSTILE))
    assert {one.tag.removeprefix(_SVG) for one in ElementTree.fromstring(text).iter()} <= _DRAWN
    assert "javascript:" not in text
    assert text.replace("\n", "").isprintable()


def test_every_vertex_and_edge_is_drawn_once() -> None:
    graph = Graph({one: Vertex(one) for one in "abc"}, (Edge("a", "b", "x"), Edge("a", "b", "y"), Edge("b", "c")))
    picture = drawn(graph)
    titles = [one.text for one in picture.iter(f"{_SVG}text") if one.get("class") == "title"]
    assert titles == ["a", "b", "c"]
    edges = [one for one in picture.iter(f"{_SVG}path") if one.get("class") == "edge"]
    assert [one.findtext(f"{_SVG}title") for one in edges] == ["x, y", None]


@pytest.mark.parametrize("leaves", [9, 10, 11, 500])
def test_what_is_too_much_is_left_out_and_counted(leaves: int) -> None:
    picture = drawn(star(leaves), vertices_max=11)
    texts = [one.text or "" for one in picture.iter(f"{_SVG}text")]
    assert sum(one == "hub" or one.startswith("leaf") for one in texts) == min(leaves + 1, 11)
    assert (f"+ {leaves - 10:,} more" in texts) == (leaves > 10)
    assert any(one.startswith(f"and {leaves - 10:,} more") for one in texts) == (leaves > 10)


def test_what_is_nearest_to_the_focus_is_kept() -> None:
    chain = {str(one): Vertex(str(one), is_focus=one == 50) for one in range(100)}
    kept = Graph(chain, tuple(Edge(str(one), str(one + 1)) for one in range(99))).bounded(5)
    assert sorted(kept.vertices, key=int) == ["48", "49", "50", "51", "52"]
    assert (kept.left_out, kept.vertices["48"].left_out, kept.vertices["50"].left_out) == (95, 1, 0)


def test_a_long_name_is_cut_in_its_middle_and_whole_where_the_pointer_rests() -> None:
    name = "begin-" + "x" * 200 + "-end"
    picture = drawn(Graph({"a": Vertex(name)}, ()))
    [shown] = [one.text or "" for one in picture.iter(f"{_SVG}text")]
    assert shown.startswith("begin-")
    assert shown.endswith("-end")
    assert len(shown) < 50
    assert name in [one.text for one in picture.iter(f"{_SVG}title")]
