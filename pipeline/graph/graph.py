"""The graph of a pipeline: calls of steps, what each takes, and the structure that they have together."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgpack

from ...errors import InvalidPipeline
from ..declaring.binding import Binder
from ..declaring.checks import Check
from ..declaring.outputs import Outputs
from ..declaring.policy import Policy
from .references import MappedRef, OutputRef, Reference, selector_text
from .templates import Template, taken_apart

_NONE: frozenset[str] = frozenset()


class TracedStep(Protocol):
    """What a trace wants to know of a step."""

    function: Callable[..., Any]

    @property
    def name(self) -> str:
        """Its name in a run."""

    @property
    def qualified_name(self) -> str:
        """Module and qualified name of its function."""

    @property
    def signature(self) -> inspect.Signature:
        """What it takes."""

    @property
    def binder(self) -> Binder:
        """Binds calls of it."""

    @property
    def outputs(self) -> Outputs:
        """What it gives."""

    @property
    def checks(self) -> Mapping[str, Check]:
        """What its arguments must fit."""

    def under(self, wider: Policy) -> TracedStep:
        """The same with a policy for what it doesn't say itself."""

    @property
    def options(self) -> Any:
        """How it is run."""

    @property
    def with_options(self) -> Callable[..., TracedStep]:
        """The same with some options changed."""


@dataclass(slots=True, eq=False)  # never changed; being frozen would be half of what it costs to make one
class Source:
    """One input of a node: a literal, another node's output, or a stored artifact."""

    path: str
    """Parameter, and place inside it where outputs are gathered: ``models[0]``; no two of a node are equal."""
    value: Any
    """A reference, an `ArtifactVersionView`, or the literal as it was when the step was called, as far as
    `literals.fixed` can tell."""

    @property
    def parameter(self) -> str:
        """The parameter that it goes to."""
        return parameter_of(self.path)


def parameter_of(path: str) -> str:
    """The parameter that an input's path begins with."""
    return re.split(r"[\[.#]", path, maxsplit=1)[0]


@dataclass(slots=True, eq=False)  # as a source
class Node:
    """A call of a step."""

    name: str
    step: Any
    arguments: Mapping[str, Template]
    sources: tuple[Source, ...]
    after: tuple[str, ...] = ()
    """Nodes that it comes after, though it takes nothing of them."""
    unchecked: tuple[str, ...] = ()
    """Parameters whose values are not known before the run gets there."""
    within: str | None = None
    """The call of a pipeline inside the pipeline that made it."""
    map: str | None = None
    """The name of the map that made it."""
    _references: tuple[Source, ...] | None = field(default=None, init=False, repr=False)
    _parents: frozenset[str] | None = field(default=None, init=False, repr=False)

    @property
    def references(self) -> tuple[Source, ...]:
        """Those of its sources that are other nodes."""
        found = self._references
        if found is None:
            found = self._references = tuple([one for one in self.sources if isinstance(one.value, Reference)])
        return found

    @property
    def parents(self) -> frozenset[str]:
        """The nodes that must be done before it can run."""
        parents = self._parents
        if parents is None:
            taken = [source.value.node for source in self.references if isinstance(source.value, OutputRef)]
            parents = self._parents = frozenset((*taken, *self.after)) if taken or self.after else _NONE
        return parents


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in an order in which each comes after those it takes outputs of."""

    nodes: tuple[Node, ...]
    code: str | None = None
    """Of a dynamic pipeline, whose nodes are known only when they run, what its function is, without what it calls."""

    def structure(self) -> bytes:
        """What tells one version of a pipeline from another: steps and edges, without literals and code.

        The calls that a map makes are one step in it, however many they are.
        """
        entries: dict[str, dict[str, Any]] = {}
        maps = {node.name: node.map for node in self.nodes if node.map is not None}
        described: dict[Any, dict[str, Any]] = {}  # By step, what all its calls have in common.
        for node in self.nodes:
            name = node.map or node.name
            entry = entries.get(name)
            if entry is None:
                of_step = described.get(node.step)
                if of_step is None:
                    of_step = described[node.step] = _entry_of_step(node.step)
                entry = entries[name] = _entry(node, of_step)
            if node.references:
                entry["inputs"].update(_edges(node, maps))
            if node.after:
                entry["after"] = list(dict.fromkeys([maps.get(name, name) for name in node.after]))
        of_code = {} if self.code is None else {"code": self.code}
        packed: bytes = msgpack.packb({"steps": list(entries.values()), **of_code})
        return packed


def node_of(name: str, step: TracedStep, bound: Mapping[str, Any], where: str, **place: Any) -> Node:
    """A call of a step with bound arguments; ``place`` has the node's other fields.

    Raises:
        InvalidPipeline: An argument can't be passed on.
    """
    try:
        arguments, taken, unchecked = taken_apart(bound)
    except RecursionError as error:
        raise InvalidPipeline(
            f"an argument of step {name!r} is nested too deep, or in itself",
            where=where,
            hint="Pass a flat list, and let its items name each other by index.",
        ) from error
    return Node(name, step, arguments, tuple([Source(*one) for one in taken]), unchecked=unchecked, **place)


def _entry_of_step(step: TracedStep) -> dict[str, Any]:
    return {"name": step.name, "function": step.qualified_name, "outputs": step.outputs.names}


def _entry(node: Node, of_step: Mapping[str, Any]) -> dict[str, Any]:
    entry = {**of_step, "name": node.map or node.name, "inputs": {}}
    if node.within is not None:
        entry["pipeline"] = node.within
    if node.map is not None:
        entry["is_mapped"] = True
    return entry


def _edges(node: Node, maps: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """What a node takes of others, by path; the number of what a map has made counts nowhere."""
    edges = []
    for source in node.references:
        ref = source.value
        if not isinstance(ref, OutputRef | MappedRef):
            continue
        path, giver = source.path, ref.node
        if giver in maps:
            path, giver = re.sub(r"\[\d+\]$", "[]", path), maps[giver]
        selected = [selector_text(ref.selector)] if ref.selector else []
        edges.append((path, [giver, ref.output, *selected]))
    return edges
