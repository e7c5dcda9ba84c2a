"""Graphs as text that others draw: Graphviz DOT and Mermaid. Names are quoted, so that whatever they say is shown."""

from __future__ import annotations

from collections.abc import Iterator

from .graph import Graph, Vertex, printable

_MERMAID_PLAIN = frozenset(" .,:=-_/()@+·…")
_SHAPES = {"step": ("[", "]"), "artifact": ("(", ")")}


def dot(graph: Graph) -> str:
    """The graph in Graphviz's language, left to right."""
    ids = {name: f"n{place}" for place, name in enumerate(graph.vertices)}
    lines = ["digraph {", "  rankdir=LR;", '  node [fontname="sans-serif", shape=box];']
    for name, vertex in graph.vertices.items():
        label = "\\n".join(map(_dot_text, _lines(vertex)))
        style = "filled" if vertex.kind == "step" else "rounded"
        bold = ",bold" if vertex.is_focus else ""
        lines.append(f'  {ids[name]} [label="{label}", style="{style}{bold}"];')
    for source, target, label in graph.edges:
        shown = f' [label="{_dot_text(label)}"]' if label else ""
        lines.append(f"  {ids[source]} -> {ids[target]}{shown};")
    if graph.left_out:
        lines.append(f'  more [label="and {graph.left_out:,} more", shape=plaintext];')
    return "\n".join([*lines, "}"])


def mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flowchart, left to right."""
    ids = {name: f"n{place}" for place, name in enumerate(graph.vertices)}
    lines = ["flowchart LR"]
    for name, vertex in graph.vertices.items():
        begin, end = _SHAPES["step" if vertex.kind == "step" else "artifact"]
        label = "<br/>".join(map(_mermaid_text, _lines(vertex)))
        lines.append(f'  {ids[name]}{begin}"{label}"{end}')
    for source, target, label in graph.edges:
        shown = f'|"{_mermaid_text(label)}"|' if label else ""
        lines.append(f"  {ids[source]} -->{shown} {ids[target]}")
    if graph.left_out:
        lines.append(f'  more["and {graph.left_out:,} more"]')
    lines += [f"  style {ids[name]} stroke-width:3px" for name, vertex in graph.vertices.items() if vertex.is_focus]
    return "\n".join(lines)


def _lines(vertex: Vertex) -> Iterator[str]:
    yield vertex.title
    if vertex.status is not None:
        yield vertex.status
    yield from vertex.details
    if vertex.left_out:
        yield f"+ {vertex.left_out:,} more"


def _dot_text(shown: str) -> str:
    """In a quoted string, in which Graphviz reads backslashes and entities."""
    return printable(shown).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')


def _mermaid_text(shown: str) -> str:
    """In a quoted string, in which Mermaid reads markup and its own entities."""
    return "".join(one if one.isalnum() or one in _MERMAID_PLAIN else f"#{ord(one)};" for one in printable(shown))
