"""Lineage: what an artifact was made from, and what was made from it, as a graph that can be drawn."""

from __future__ import annotations

from typing import Any

from .lineage_parts import Graphed


class Lineage(Graphed):
    """Artifact versions, and the step runs that lead from some to others. `str` draws it as a tree.

    It is what was known when it was asked for, and does not change. In a notebook it is a picture.
    """

    def __str__(self) -> str:
        from .lineage_text import tree  # Imported on use, as below: most look at the nodes only.

        return tree(self)

    def to_dict(self) -> dict[str, Any]:
        """The graph in plain values, as JSON takes them; docs/lineage.md says which."""
        from .lineage_text import plain

        return plain(self)

    def to_dot(self, *, vertices_max: int | None = None) -> str:
        """The graph in Graphviz's language; whole, or only what is nearest to the roots."""
        from .lineage_graph import graph_of
        from .notation import dot

        return dot(graph_of(self, vertices_max))

    def to_mermaid(self, *, vertices_max: int | None = None) -> str:
        """The graph as a Mermaid flowchart; whole, or only what is nearest to the roots."""
        from .lineage_graph import graph_of
        from .notation import mermaid

        return mermaid(graph_of(self, vertices_max))

    def to_svg(self, *, vertices_max: int | None = None) -> str:
        """The graph as a picture, a file of its own; of what is too much to be seen, what is nearest to the roots."""
        from .lineage_graph import graph_of
        from .picture import VERTICES_MAX, svg

        shown = VERTICES_MAX if vertices_max is None else vertices_max
        return svg(graph_of(self, shown), vertices_max=shown)

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def _repr_html_(self) -> str:
        return f'<div style="overflow:auto">{self.to_svg()}</div>'
