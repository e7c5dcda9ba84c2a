"""Live: the body of a dynamic pipeline runs while its steps do, and may ask for the value of what they gave.

What asks for a value waits for the step that gives it, and no other. A reference that is passed on keeps its lineage; a
plain value that was computed from one is a literal.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ...errors import InvalidPipeline
from ..declaring.outputs import OutputSpec
from .graph import Node, TracedStep
from .mapping import MapKind, RowGroups
from .references import ARITHMETIC, NothingRef, OutputRef, Reference
from .tracing import Overrides, Trace


class LiveRun(Protocol):
    """What the body of a dynamic pipeline wants of the run that is under way."""

    def take(self, node: Node) -> None:
        """Take a call that the body makes, and begin what can begin."""

    def wait_for(self, name: str) -> None:
        """Go on until a call is done. Raises what it failed with, or what kept it from running."""

    def value_of(self, ref: OutputRef) -> Any:
        """The value of an output that is there, loaded anew."""


class LiveTrace(Trace):
    """Hands each call to the run as it is made."""

    def __init__(self, pipeline: str, overrides: Overrides, run: LiveRun) -> None:
        """Trace a pipeline in a run of it."""
        super().__init__(pipeline, overrides)
        self._run = run

    def map(self, step: TracedStep, kind: MapKind, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        named = {name: _listed(value) for name, value in kwargs.items()}
        return super().map(step, kind, [_listed(value) for value in args], named)

    def value(self, ref: OutputRef) -> Any:
        """The value that a reference stands for."""
        self.wait_for(ref)
        return self._run.value_of(ref)

    def wait_for(self, ref: Reference) -> None:
        """Go on until a call is done."""
        self._require_own(ref, "the pipeline's body")
        self._run.wait_for(ref.node)

    def _keep(self, node: Node) -> None:
        super()._keep(node)
        self._run.take(node)

    def _ref(self, node: Node, spec: OutputSpec) -> OutputRef:
        return LiveRef(node.name, spec.name, self, (), spec.length)

    def _nothing(self, node: Node) -> NothingRef:
        return LiveNothing(node.name, self)


class LiveRef(OutputRef):
    """An output of a step in a dynamic pipeline: it does what its value does, and waits for it then.

    ``load`` gives the value itself. Indexing and iterating give parts, which are references with lineage again.
    """

    __slots__ = ()
    traced_by: LiveTrace

    def load(self) -> Any:
        """The value, once the step is done: a new one at each call. Raises what the step failed with."""
        return self.traced_by.value(self)

    def __iter__(self) -> Iterator[Any]:
        if self.length is not None:
            return super().__iter__()
        value = self.load()
        if not isinstance(value, list | tuple):
            return iter(value)
        return iter([self.part(number) for number in range(len(value))])

    def __len__(self) -> int:
        return len(self.load())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.load(), name)

    __hash__ = object.__hash__


class LiveNothing(NothingRef):
    """A call of a step that gives nothing, in a dynamic pipeline."""

    __slots__ = ()
    traced_by: LiveTrace

    def load(self) -> None:
        """Wait until the step is done. Raises what it failed with."""
        self.traced_by.wait_for(self)


def _listed(value: Any) -> Any:
    """What is to be mapped over, by references to its items or rows, now that they can be counted."""
    if isinstance(value, LiveRef):
        whole = value.load()
        if isinstance(whole, str | bytes | dict | set | frozenset) or not hasattr(whole, "__len__"):
            raise InvalidPipeline(
                f"the output {value.output!r} of step {value.node!r}, a {type(whole).__name__}, can't be mapped over",
                hint="Give a list, or row_groups(…) of a table; unmapped(…) passes it whole to each call.",
            )
        return [value.part(number) for number in range(len(whole))]
    if isinstance(value, RowGroups) and isinstance(value.table, LiveRef):
        return [value.table.part(rows) for rows in value.slices(len(value.table))]
    return value


def _array(value: Any, *args: Any, **kwargs: Any) -> Any:
    import numpy as np

    return np.asarray(value, *args, **kwargs)


_DONE: dict[str, Callable[..., Any]] = {
    **{name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge", "contains", "index")},
    **{name: getattr(operator, name) for name in ("neg", "pos", "abs", "invert")},
    **{name: getattr(math, name) for name in ("trunc", "floor", "ceil")},
    "bool": bool,
    "str": str,
    "format": format,
    "bytes": bytes,
    "fspath": os.fspath,
    "reversed": reversed,
    "int": int,
    "float": float,
    "complex": complex,
    "round": round,
    "array": _array,
    "call": lambda value, *args, **kwargs: value(*args, **kwargs),
}
"""What does to a value what a special method does."""


def _realised(do: Callable[..., Any], *, is_reflected: bool = False) -> Callable[..., Any]:
    def realised(self: LiveRef, *args: Any, **kwargs: Any) -> Any:
        value = self.load()
        return do(*args, value) if is_reflected else do(value, *args, **kwargs)

    return realised


for _name, _do in _DONE.items():
    setattr(LiveRef, f"__{_name}__", _realised(_do))
for _name in ARITHMETIC:
    _operation = divmod if _name == "divmod" else getattr(operator, f"{_name}_" if _name in ("and", "or") else _name)
    setattr(LiveRef, f"__{_name}__", _realised(_operation))
    setattr(LiveRef, f"__r{_name}__", _realised(_operation, is_reflected=True))
