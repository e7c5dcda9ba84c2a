"""The graph of a pipeline: traced by calling its function once, with references standing for what steps will give."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, SupportsIndex

import msgpack

from ..cas.digest import Digest
from ..errors import InvalidPipeline
from .fingerprint import value_digest
from .fingerprint.key import gathered
from .literals import fixed
from .outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Callable

_HINT = "Put the computation into a step; in the pipeline's body, a step's output can only be passed on."
_PASSING_HINT = "Pass a step's output as an argument itself, or inside lists, tuples and the values of dicts."


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

    @property
    def with_options(self) -> Callable[..., TracedStep]:
        """The same with some options changed."""


class OutputRef:
    """Stands for an output of a step that has not run yet: whatever would need its value is refused."""

    __slots__ = ("node", "output", "traced_by")

    def __init__(self, node: str, output: str, traced_by: Trace) -> None:
        self.node = node
        self.output = output
        self.traced_by = traced_by

    def _refuse(self, what: str, hint: str = _HINT) -> NoReturn:
        raise InvalidPipeline(f"the output of step {self.node!r} has no value yet: it can't {what}", hint=hint)

    def __iter__(self) -> Iterator[Any]:
        raise InvalidPipeline(
            f"step {self.node!r} declares a single output: it can't be unpacked",
            hint="Declare several as -> tuple[A, B].",
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse(f"be asked for .{name}")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        self._refuse("be saved or copied, hidden inside another value", _PASSING_HINT)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<output {self.output!r} of step {self.node!r}>"


_ARITHMETIC = (
    *("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod"),
    *("pow", "lshift", "rshift", "and", "xor", "or"),
)
_REFUSED = {
    "decide a condition": ["bool"],
    "be measured": ["len"],
    "be indexed": ["getitem", "setitem", "delitem"],
    "be searched": ["contains", "reversed"],
    "be called": ["call"],
    "be entered": ["enter", "aenter"],
    "be made a text": ["str", "format", "bytes", "fspath"],
    "be compared": ["eq", "ne", "lt", "le", "gt", "ge"],
    "be made a number": ["int", "float", "complex", "index", "round", "trunc", "floor", "ceil"],
    "be made an array": ["array"],
    "be computed with": [
        *(f"{side}{operation}" for operation in _ARITHMETIC for side in ("", "r")),
        *("neg", "pos", "abs", "invert"),
    ],
}
"""What an output can't do yet, by the special methods that would do it."""


def _refusal(what: str) -> Callable[..., NoReturn]:
    def refuse(self: OutputRef, *_: object) -> NoReturn:
        self._refuse(what)

    return refuse


for _what, _methods in _REFUSED.items():
    for _method in _methods:
        setattr(OutputRef, f"__{_method}__", _refusal(_what))


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where the input of this number goes."""

    number: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """A list, tuple or dict in an argument that has a step's output somewhere inside."""

    kind: type
    keys: tuple[Any, ...]
    """Of a dict, in its order."""
    key_digests: tuple[Digest, ...]
    items: tuple[Template, ...]


Template = Leaf | Gathered
"""The form of one argument, with numbered inputs at its leaves."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One input of a node: a literal, or another node's output."""

    path: str
    """Parameter, and place inside it where outputs are gathered: ``models[0]``; no two of a node are equal."""
    value: Any
    """An `OutputRef`, or the literal as it was when the step was called, as far as `fixed` can tell."""


@dataclass(frozen=True, slots=True, eq=False)
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


class Trace:
    """Collects the nodes while a pipeline's function runs."""

    def __init__(self, pipeline: str, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Trace a pipeline; ``overrides`` has options of single steps by their names."""
        self._pipeline = pipeline
        self._overrides = overrides or {}
        self._overridden: dict[str, dict[TracedStep, TracedStep]] = {name: {} for name in self._overrides}
        self._nodes: dict[str, Node] = {}
        self._calls: dict[str, int] = {}

    def add(self, step: TracedStep, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Add a call of a step; give what stands for its result."""
        if step.name in self._overrides:
            step = self._with_overrides(step)
        bound = bind(step.signature, args, kwargs, f"step {step.name!r} in pipeline {self._pipeline!r}")
        name = self._free_name(step.name)
        inputs = _Inputs()
        try:
            arguments = {parameter: inputs.template(parameter, value) for parameter, value in bound.items()}
        except RecursionError as error:
            raise InvalidPipeline(
                f"an argument of step {name!r} is nested too deep, or in itself",
                where=self._pipeline,
                hint="Pass a flat list, and let its items name each other by index.",
            ) from error
        for source in inputs.sources:
            self._check(source, name)
        self._nodes[name] = Node(name, step, arguments, tuple(inputs.sources))
        refs = tuple(OutputRef(name, output, self) for output in step.outputs.names)
        if step.outputs.is_tuple:
            return refs
        return refs[0] if refs else None

    def check_overrides(self) -> None:
        """Raise `InvalidPipeline` if options were given for a step that was not called."""
        for name, met in self._overridden.items():
            if not met:
                known = dict.fromkeys(node.step.name for node in self._nodes.values())
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"Did you mean {close[0]!r}?" if close else f"Its steps are {', '.join(known)}."
                raise InvalidPipeline(
                    f"options are given for {name!r}, which is no step", where=self._pipeline, hint=hint
                )

    def graph(self) -> Graph:
        """What was collected."""
        return Graph(tuple(self._nodes.values()))

    def _with_overrides(self, step: TracedStep) -> TracedStep:
        """The step with the options given for its name; the same object for the same step."""
        known = self._overridden[step.name]
        if step not in known:
            known[step] = step.with_options(**self._overrides[step.name])
        return known[step]

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
        if isinstance(ref, OutputRef) and ref.traced_by is not self:
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


class _Inputs:
    """Numbers the inputs of one node while its arguments are taken apart."""

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self._paths: set[str] = set()

    def template(self, path: str, value: Any) -> Template:
        """The form of an argument, or of a part of one."""
        kind = type(value)
        if kind in _GATHERING and _has_ref(value):
            if kind is not dict:
                items = tuple(self.template(f"{path}[{place}]", item) for place, item in enumerate(value))
                return Gathered(kind, (), (), items)
            digests = tuple(key_digest(path, key) for key in value)
            items = tuple(self.template(f"{path}[{key!r}]", item) for key, item in value.items())
            return Gathered(dict, tuple(value), digests, items)
        self.sources.append(Source(self._free_path(path), fixed(value)))
        return Leaf(len(self.sources) - 1)

    def _free_path(self, wanted: str) -> str:
        """Keys of a dict that differ may look alike."""
        path, number = wanted, 1
        while path in self._paths:
            number += 1
            path = f"{wanted}#{number}"
        self._paths.add(path)
        return path


_GATHERING = (list, tuple, dict)


def key_digest(path: str, key: object) -> Digest:
    """The digest of a key in a dict that is gathered. Raises `InvalidPipeline` for one that has none."""
    digest = None if isinstance(key, OutputRef) else value_digest(key)
    if digest is None:
        raise InvalidPipeline(
            f"a key of the dict {path!r}, a {type(key).__qualname__}, can't be told from others by its content",
            hint="Use texts or numbers as the keys of a dict that holds a step's outputs.",
        )
    return digest


def _has_ref(container: Any) -> bool:
    """Whether an output is anywhere inside; what is nested in itself is looked at once."""
    seen, left = {id(container)}, [container]
    while left:
        inner = left.pop()
        for value in inner.values() if type(inner) is dict else inner:
            if type(value) is OutputRef:
                return True
            if type(value) in _GATHERING and id(value) not in seen:
                seen.add(id(value))
                left.append(value)
    return False


def causes(arguments: Mapping[str, Template], contents: Sequence[Digest]) -> dict[str, Digest]:
    """What each argument adds to the fingerprint: its content id, or a digest of what is gathered, and how."""
    return {name: _cause(template, contents) for name, template in arguments.items()}


def _cause(template: Template, contents: Sequence[Digest]) -> Digest:
    if isinstance(template, Leaf):
        return contents[template.number]
    items = [_cause(item, contents) for item in template.items]
    return gathered(template.kind.__name__, template.key_digests, items)


def fill(template: Template, values: Sequence[Any]) -> Any:
    """An argument with the values of its inputs in place."""
    if isinstance(template, Leaf):
        return values[template.number]
    items = [fill(item, values) for item in template.items]
    if template.kind is dict:
        return dict(zip(template.keys, items, strict=True))
    return template.kind(items)
