"""Pinning: what an earlier run took that its parameters don't say, its versions of stored artifacts and its seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ...events.catalogue import Input
from ...events.ids import RunId
from ...events.projections import Steps
from ...events.rows import key
from ...history import ArtifactVersionView, Reader
from ..graph.graph import Node, Source
from ..graph.templates import taken_apart
from ..surroundings.seeds import SEED
from .plan import Plan


def pinned(plan: Plan, reader: Reader, run: RunId, given: Iterable[Any] = ()) -> Plan:
    """The plan of a run that does an earlier one again, where a name means the version that it meant then.

    Args:
        plan: As today's names have it.
        reader: Of the store that has the earlier run.
        run: The earlier run.
        given: Values that the caller gives, and so means as they are.
    """
    inputs = {}
    for row in reader.rows(Steps.name).newest(key("s", run)):
        event: Any = reader.event(row.seq).event
        inputs[event.step] = {taken.name: taken for taken in getattr(event, "inputs", ())}
    values = [value for _, value in taken_apart({str(number): one for number, one in enumerate(given)})[1]]
    meant = {value for value in values if isinstance(value, ArtifactVersionView)}
    nodes = tuple(_node(node, inputs.get(node.name, {}), reader, meant) for node in plan.graph.nodes)
    seeds = [
        int(taken[SEED].literal or 0)
        for node in plan.graph.nodes
        if node.step.options.seed is None and SEED in (taken := inputs.get(node.name, {}))
    ]
    return replace(plan, graph=replace(plan.graph, nodes=nodes), seed=seeds[0] if seeds else plan.seed)


def _node(node: Node, then: Mapping[str, Input], reader: Reader, meant: set[ArtifactVersionView]) -> Node:
    if not any(isinstance(source.value, ArtifactVersionView) for source in node.sources):
        return node
    return replace(
        node, sources=tuple(_source(source, then.get(source.path), reader, meant) for source in node.sources)
    )


def _source(source: Source, then: Input | None, reader: Reader, meant: set[ArtifactVersionView]) -> Source:
    value = source.value
    is_of_a_name = isinstance(value, ArtifactVersionView) and value not in meant
    if not is_of_a_name or then is None or then.source is not None or then.artifact != value.name:
        return source
    return Source(source.path, ArtifactVersionView(reader, value.name, then.content))
