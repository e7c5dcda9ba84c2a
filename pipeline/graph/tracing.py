"""Tracing: a pipeline's function is called once, with references for what steps will give, and its calls are kept."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ...during import During
from ...errors import InvalidPipeline
from ...history import ArtifactVersionView
from ..declaring.checks import check, check_kinds
from ..declaring.outputs import OutputSpec
from ..declaring.policy import UNSAID, Policy
from ..declaring.recorded_kinds import recorded_kinds
from .graph import Graph, Node, TracedStep, node_of
from .mapping import MapKind, Spread, spread
from .references import MappedRef, NothingRef, OutputRef, Reference
from .templates import references_in
from .unfolding import Folded, mapped_nodes

_DEPTH_MAX = 100
"""How deep pipelines may call each other."""

Overrides = Mapping[str, Mapping[str, Any]]
"""Options of single steps, by their names."""


_NO_MAPS: frozenset[str] = frozenset()


class Scope:
    """The call of one pipeline: the outermost one, or one inside another."""

    def __init__(self, pipeline: str, call: str | None, overrides: Overrides, policy: Policy) -> None:
        self.pipeline = pipeline
        self.call = call
        """What it is called in the run, before the names of its steps; None of the outermost one."""
        self._overrides = overrides
        self._policy = policy
        self._known: dict[TracedStep, TracedStep] = {}
        self._met: dict[str, None] = {}

    def applied(self, step: TracedStep) -> TracedStep:
        """The step under what the pipeline and its caller say of it; the same object for the same step."""
        known = self._known.get(step)
        if known is None:
            self._met[step.name] = None
            known = self._known[step] = self._changed(step)
        return known

    def check_overrides(self) -> None:
        """Raise `InvalidPipeline` if options were given for a step that was not called."""
        for name in self._overrides:
            if name not in self._met:
                close = difflib.get_close_matches(name, self._met, n=1)
                hint = f"Did you mean {close[0]!r}?" if close else f"Its steps are {', '.join(self._met)}."
                raise InvalidPipeline(
                    f"options are given for {name!r}, which is no step", where=self.pipeline, hint=hint
                )

    def _changed(self, step: TracedStep) -> TracedStep:
        overrides = self._overrides.get(step.name)
        changed = step if overrides is None else step.with_options(**overrides)
        if self.call is None or self._policy == UNSAID:
            return changed  # Of the outermost pipeline, the plan says the policy.
        return changed.under(self._policy)


class Trace:
    """Collects the calls of steps while a pipeline's function runs."""

    def __init__(self, pipeline: str, overrides: Overrides | None = None) -> None:
        """Trace a pipeline; ``overrides`` has options of single steps by their names."""
        self._scopes = [Scope(pipeline, None, overrides or {}, UNSAID)]
        self._nodes: dict[str, Node] = {}
        self._calls: dict[str, int] = {}
        self._names: set[str] = set()
        self._wheres: dict[str, str] = {}
        self._maps: set[str] = set()
        """Maps of which it is not known how many calls they make."""

    def add(self, step: TracedStep, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Add a call of a step; give what stands for its result."""
        step = self._applied(step)
        bound = step.binder.bind(args, kwargs, self._where(step))
        name = self._free_name(step.name)
        place = self._place(step, name)
        node = node_of(name, step, bound, self._pipeline, **place)
        maps = self._maps_met(node)
        self._keep(node if not maps else Folded.of(node, maps, bound))
        self._check(node, bound)
        return self._given(node)

    def map(self, step: TracedStep, kind: MapKind, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Add a map of a step: what stands for the results of its calls, output by output in a list."""
        step = self._applied(step)
        where = f"the map of step {step.name!r} in pipeline {self._pipeline!r}"
        spreading = spread(kind, step.binder.bind(args, kwargs, where), step.signature, where)
        name = self._free_name(step.name)
        place = self._place(step, name)
        shown = node_of(name, step, spreading.shown, self._pipeline, map=name, **place)
        maps = self._maps_met(shown)
        if maps or not spreading.is_known:
            self._keep(Folded.of(shown, maps, {}, spreading))
            self._check(shown, spreading.fixed)
            self._maps.add(name)
            return self._given(shown)
        nodes = list(mapped_nodes(name, step, spreading.calls(where), self._pipeline, **place))
        for node in nodes:
            self._keep(node)
        self._check_calls(nodes, spreading, where)
        if not step.outputs.specs:
            return [self._nothing(node) for node in nodes]
        return step.outputs.together([[self._ref(node, spec) for node in nodes] for spec in step.outputs.specs])

    @contextmanager
    def inside(self, pipeline: str, overrides: Overrides, policy: Policy) -> Iterator[None]:
        """Trace the call of another pipeline in this one: its steps go by ``pipeline.step``."""
        if len(self._scopes) > _DEPTH_MAX:
            raise InvalidPipeline(
                f"pipelines call each other more than {_DEPTH_MAX} deep: {pipeline!r} may call itself without end",
                where=self._pipeline,
                hint="Let it end, or write a loop.",
            )
        scope = Scope(pipeline, self._free_name(pipeline), overrides, policy)
        self._scopes.append(scope)
        try:
            yield
        finally:
            self._scopes.pop()
        scope.check_overrides()

    def check_overrides(self) -> None:
        """Raise `InvalidPipeline` if options were given for a step that was not called."""
        self._scopes[0].check_overrides()

    def graph(self) -> Graph:
        """What was collected."""
        return Graph(tuple(self._nodes.values()))

    @property
    def _pipeline(self) -> str:
        return self._scopes[0].pipeline

    def _applied(self, step: TracedStep) -> TracedStep:
        """The step under what all pipelines say that it is called in: the outer one is called later, and wins."""
        for scope in reversed(self._scopes):
            step = scope.applied(step)
        return step

    def _where(self, step: TracedStep) -> str:
        """A step's call, as errors name it."""
        where = self._wheres.get(step.name)
        if where is None:
            where = self._wheres[step.name] = f"step {step.name!r} in pipeline {self._pipeline!r}"
        return where

    def _free_name(self, wanted: str) -> str:
        call = self._scopes[-1].call
        wanted = wanted if call is None else f"{call}.{wanted}"
        number = self._calls.get(wanted, 0) + 1
        name = wanted if number == 1 else f"{wanted}_{number}"
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._calls[wanted] = number
        self._names.add(name)
        return name

    def _keep(self, node: Node) -> None:
        for source in node.references:
            self._require_own(source.value, node.name)
        self._nodes[node.name] = node

    def _given(self, node: Node) -> Any:
        """What stands for what a call gives, or a map."""
        outputs = node.step.outputs
        if not outputs.specs:
            return self._nothing(node)
        if node.map is not None:
            return outputs.together([MappedRef(node.name, spec.name, self) for spec in outputs.specs])
        if outputs.form is None:
            return self._ref(node, outputs.specs[0])
        return outputs.together([self._ref(node, spec) for spec in outputs.specs])

    def _ref(self, node: Node, spec: OutputSpec) -> OutputRef:
        return OutputRef(node.name, spec.name, self, (), spec.length)

    def _nothing(self, node: Node) -> NothingRef:
        return NothingRef(node.name, self)

    def _place(self, step: TracedStep, name: str) -> dict[str, Any]:
        """Where a call stands: what it comes after, and in the call of which pipeline."""
        after: Sequence[Reference] = step.options.after
        if not after:
            return {"within": self._scopes[-1].call}
        for ref in after:
            self._require_own(ref, name)
        return {"after": tuple(dict.fromkeys([ref.node for ref in after])), "within": self._scopes[-1].call}

    def _maps_met(self, node: Node) -> frozenset[str]:
        """The maps that it takes outputs of, or comes after, of which it is not known how many calls they make."""
        if not self._maps:
            return _NO_MAPS
        met = {source.value.node for source in node.references if isinstance(source.value, MappedRef)}
        return frozenset(met | self._maps.intersection(node.after))

    def _check(self, node: Node, bound: Mapping[str, Any]) -> None:
        """Hold what is known of the arguments against the annotations."""
        where = f"step {node.name!r} in pipeline {self._pipeline!r}"
        if not node.unchecked:
            check(node.step.checks, bound, where)
            return
        check(node.step.checks, {k: v for k, v in bound.items() if k not in node.unchecked}, where)
        stored = {k: v for k, v in bound.items() if k in node.unchecked and isinstance(v, ArtifactVersionView)}
        if stored:
            check_kinds(node.step.checks, recorded_kinds(stored), where)

    def _check_calls(self, nodes: Sequence[Node], spreading: Spread, where: str) -> None:
        for node, bound in zip(nodes, spreading.calls(where), strict=True):
            self._check(node, bound)

    def _require_own(self, ref: Reference, name: str) -> None:
        if ref.traced_by is not self:
            raise InvalidPipeline(
                f"step {name!r} takes an output of {ref.node!r}, which belongs to another run of the pipeline",
                where=self._pipeline,
                hint="Pass values between runs as artifacts.",
            )


_trace: ContextVar[Trace | None] = ContextVar("lineal_trace", default=None)


def current_trace() -> Trace | None:
    """The trace under way, if a pipeline's function is being called to be traced."""
    return _trace.get()


def tracing(trace: Trace | None) -> During[Trace | None]:
    """Trace what is called inside; with None, call it plainly."""
    return During(_trace, trace)


def calls_in(calls: Sequence[Any], step: str) -> tuple[Reference, ...]:
    """The references in what calls of steps gave. Raises `InvalidPipeline` where something else was given."""
    found: list[Reference] = []
    for call in calls:
        references = references_in(call)
        if not references:
            raise InvalidPipeline(
                f"step {step!r} is to run after {call!r}, which is no call of a step",
                hint="Pass what calling a step gave in the pipeline's body.",
            )
        found += references
    return tuple(found)
