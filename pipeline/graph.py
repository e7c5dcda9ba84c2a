"""The graph of a pipeline: traced by calling its function once, with references standing for what steps will give."""

from __future__ import annotations

import difflib
import heapq
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import msgpack

from ..errors import InvalidPipeline
from .outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Callable

_HINT = "Put the computation into a step; in the pipeline's body, a step's output can only be passed on."


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
    def outputs(self) -> Outputs:
        """What it gives."""


class OutputRef:
    """Stands for an output of a step that has not run yet."""

    __slots__ = ("node", "output")

    def __init__(self, node: str, output: str) -> None:
        self.node = node
        self.output = output

    def _refuse(self, what: str) -> NoReturn:
        raise InvalidPipeline(f"the output of step {self.node!r} has no value yet: it can't {what}", hint=_HINT)

    def __bool__(self) -> bool:
        self._refuse("decide a condition")

    def __iter__(self) -> Iterator[Any]:
        raise InvalidPipeline(
            f"step {self.node!r} declares a single output: it can't be unpacked",
            hint="Declare several as -> tuple[A, B].",
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse(f"be asked for .{name}")

    def __getitem__(self, item: object) -> Any:
        self._refuse("be indexed")

    def __len__(self) -> int:
        self._refuse("be measured")

    def __repr__(self) -> str:
        return f"<output {self.output!r} of step {self.node!r}>"


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where the input of this number goes."""

    number: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """A list, tuple or dict in an argument that has a step's output somewhere inside."""

    kind: type
    keys: tuple[Any, ...]
    items: tuple[Template, ...]


Template = Leaf | Gathered
"""The form of one argument, with numbered inputs at its leaves."""


@dataclass(frozen=True, slots=True)
class Source:
    """One input of a node: a literal, or another node's output."""

    path: str
    """Parameter, and place inside it where outputs are gathered: ``models[0]``."""
    value: Any
    """An `OutputRef`, or the literal itself."""


@dataclass(frozen=True, slots=True)
class Node:
    """A step's place in the graph."""

    name: str
    step: Any
    arguments: Mapping[str, Template]
    sources: tuple[Source, ...]

    @property
    def parents(self) -> set[str]:
        """The nodes it takes outputs of."""
        return {source.value.node for source in self.sources if isinstance(source.value, OutputRef)}


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in an order in which each comes after those it takes outputs of."""

    nodes: tuple[Node, ...]

    def structure(self) -> bytes:
        """What tells one version of a pipeline from another: steps and edges, without literals and code."""
        steps = [
            {
                "name": node.name,
                "function": node.step.qualified_name,
                "outputs": list(node.step.outputs.names),
                "inputs": {
                    source.path: [source.value.node, source.value.output]
                    for source in node.sources
                    if isinstance(source.value, OutputRef)
                },
            }
            for node in self.nodes
        ]
        packed: bytes = msgpack.packb({"steps": steps})
        return packed


class Agenda:
    """Which nodes are left, and which of them have all they take: the first of those in the graph's order is next."""

    def __init__(self, graph: Graph) -> None:
        self._nodes = graph.nodes
        self._missing = [len(node.parents) for node in graph.nodes]
        self._ready = [place for place, missing in enumerate(self._missing) if not missing]
        self._left = dict.fromkeys(range(len(graph.nodes)))
        self._children: dict[str, list[int]] = {}
        for place, node in enumerate(graph.nodes):
            for parent in node.parents:
                self._children.setdefault(parent, []).append(place)

    def __bool__(self) -> bool:
        return bool(self._left)

    def next_ready(self) -> Node | None:
        """Take the next node that can run; None if there is none yet."""
        if not self._ready:
            return None
        place = heapq.heappop(self._ready)
        del self._left[place]
        return self._nodes[place]

    def done(self, node: Node) -> None:
        """Hear that a node's outputs are there."""
        for place in self._children.get(node.name, ()):
            self._missing[place] -= 1
            if not self._missing[place]:
                heapq.heappush(self._ready, place)

    def left(self) -> list[Node]:
        """The nodes that nobody took."""
        return [self._nodes[place] for place in self._left]


class Trace:
    """Collects the nodes while a pipeline's function runs."""

    def __init__(self, pipeline: str) -> None:
        self._pipeline = pipeline
        self._nodes: dict[str, Node] = {}
        self._calls: dict[str, int] = {}

    def add(self, step: TracedStep, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Add a call of a step; give what stands for its result."""
        bound = bind(step.signature, args, kwargs, f"step {step.name!r} in pipeline {self._pipeline!r}")
        name = self._free_name(step.name)
        sources: list[Source] = []
        arguments = {parameter: _template(parameter, value, sources) for parameter, value in bound.items()}
        for source in sources:
            self._check(source, name)
        self._nodes[name] = Node(name, step, arguments, tuple(sources))
        refs = tuple(OutputRef(name, output) for output in step.outputs.names)
        if step.outputs.is_tuple:
            return refs
        return refs[0] if refs else None

    def graph(self) -> Graph:
        """What was collected."""
        return Graph(tuple(self._nodes.values()))

    def _free_name(self, wanted: str) -> str:
        number = self._calls.get(wanted, 0) + 1
        name = wanted if number == 1 else f"{wanted}_{number}"
        while name in self._nodes:
            number += 1
            name = f"{wanted}_{number}"
        self._calls[wanted] = number
        return name

    def _check(self, source: Source, name: str) -> None:
        ref = source.value
        if isinstance(ref, OutputRef) and ref.node not in self._nodes:
            raise InvalidPipeline(
                f"step {name!r} takes an output of {ref.node!r}, which belongs to another run of the pipeline",
                where=self._pipeline,
                hint="Pass values between runs as artifacts.",
            )


_trace: ContextVar[Trace | None] = ContextVar("lineal_trace", default=None)


def current_trace() -> Trace | None:
    """The trace under way, if a pipeline's function is being called to be traced."""
    return _trace.get()


@contextmanager
def tracing(trace: Trace | None) -> Iterator[None]:
    """Trace what is called inside; with None, call it plainly."""
    token = _trace.set(trace)
    try:
        yield
    finally:
        _trace.reset(token)


def bind(signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Bind arguments to parameters, simple defaults included.

    Only defaults that are plain scalars are bound: any other stays the function's own, so that one that is compared
    by identity still works; a change to it counts as a change of code.

    Raises:
        InvalidPipeline: One is missing, unknown, or given twice.
    """
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        unknown = [name for name in kwargs if name not in signature.parameters]
        close = difflib.get_close_matches(unknown[0], signature.parameters, n=1) if unknown else []
        hint = f"Did you mean {close[0]!r}?" if close else f"Its signature is {signature}."
        raise InvalidPipeline(str(error), where=where, hint=hint) from error
    arguments = dict(bound.arguments)
    for name, parameter in signature.parameters.items():
        if name not in arguments and type(parameter.default) in _PLAIN_TYPES:
            arguments[name] = parameter.default
    return {name: arguments[name] for name in signature.parameters if name in arguments}


_PLAIN_TYPES = (type(None), bool, int, float, str, bytes)


def _template(path: str, value: Any, sources: list[Source]) -> Template:
    if type(value) in (list, tuple) and _has_ref(value):
        items = tuple(_template(f"{path}[{place}]", item, sources) for place, item in enumerate(value))
        return Gathered(type(value), (), items)
    if type(value) is dict and _has_ref(value.values()):
        items = tuple(_template(f"{path}[{name!r}]", item, sources) for name, item in value.items())
        return Gathered(dict, tuple(value), items)
    sources.append(Source(path, value))
    return Leaf(len(sources) - 1)


def _has_ref(values: Any) -> bool:
    return any(
        isinstance(value, OutputRef)
        or (type(value) in (list, tuple) and _has_ref(value))
        or (type(value) is dict and _has_ref(value.values()))
        for value in values
    )


def fill(template: Template, values: Sequence[Any]) -> Any:
    """An argument with the values of its inputs in place."""
    if isinstance(template, Leaf):
        return values[template.number]
    items = [fill(item, values) for item in template.items]
    if template.kind is dict:
        return dict(zip(template.keys, items, strict=True))
    return template.kind(items)
