"""Graphs as DOT and Mermaid: other programs read them, whatever names say."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lineal.history.graph import Edge, Graph, Vertex
from lineal.history.notation import dot, mermaid

HOSTILE = 'a"]; n1 -> n0; \\"\n<b>&lt;#quot;`|{}\x00'


def graph(name: str) -> Graph:
    vertices = {"x": Vertex(name, "step", (name,), "cached"), "y": Vertex("plain", is_focus=True)}
    return Graph(vertices, (Edge("x", "y", name),), 1234)


def test_dot_says_what_is_there() -> None:
    assert dot(graph("load")).splitlines() == [
        "digraph {",
        "  rankdir=LR;",
        '  node [fontname="sans-serif", shape=box];',
        '  n0 [label="load\\ncached\\nload", style="filled"];',
        '  n1 [label="plain", style="rounded,bold"];',
        '  n0 -> n1 [label="load"];',
        '  more [label="and 1,234 more", shape=plaintext];',
        "}",
    ]


def test_mermaid_says_what_is_there() -> None:
    assert mermaid(graph("load")).splitlines() == [
        "flowchart LR",
        '  n0["load<br/>cached<br/>load"]',
        '  n1("plain")',
        '  n0 -->|"load"| n1',
        '  more["and 1,234 more"]',
        "  style n1 stroke-width:3px",
    ]


@given(st.text(min_size=1, max_size=40) | st.just(HOSTILE))
def test_a_name_stays_within_its_quotes(name: str) -> None:
    strings = re.compile(r'"(?:[^"\\]|\\.)*"')
    assert strings.sub("S", dot(graph(name))) == strings.sub("S", dot(graph("load")))
    assert re.sub('"[^"]*"', "S", mermaid(graph(name))) == re.sub('"[^"]*"', "S", mermaid(graph("load")))


@given(st.text(max_size=40) | st.just(HOSTILE))
def test_mermaid_is_given_no_markup_of_a_name(name: str) -> None:
    [label] = re.findall('n0\\["(.*)"]', mermaid(graph(name)))
    assert not set("<>`&\\|{}") & set(label.replace("<br/>", ""))
