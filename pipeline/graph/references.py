"""References: what stands, in a pipeline's body, for what steps will give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn, SupportsIndex

from ...errors import InvalidPipeline

_HINT = "Put the computation into a step; in the pipeline's body, a step's output can only be passed on."
_PASSING_HINT = "Pass a step's output as an argument itself, or inside lists, tuples and the values of dicts."

Selector = tuple[int | str | slice, ...]
"""Which part of a value: the keys to index it with, one after the other; a slice is of rows."""


class Reference:
    """Stands for a call of a step that has not run yet: whatever would need a value is refused."""

    __slots__ = ("node", "traced_by")

    def __init__(self, node: str, traced_by: object) -> None:
        self.node = node
        """The name of the call."""
        self.traced_by = traced_by
        """The trace that it belongs to."""

    def _refuse(self, what: str, hint: str = _HINT) -> NoReturn:
        raise InvalidPipeline(f"the output of step {self.node!r} has no value yet: it can't {what}", hint=hint)

    def __iter__(self) -> Iterator[Any]:
        raise InvalidPipeline(
            f"step {self.node!r} declares a single output: it can't be unpacked",
            hint="Declare several as -> tuple[A, B]; to call a step for each item, use its map.",
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse(f"be asked for .{name}")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        self._refuse("be saved or copied, hidden inside another value", _PASSING_HINT)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<call of step {self.node!r}>"


ARITHMETIC = (
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
        *(f"{side}{operation}" for operation in ARITHMETIC for side in ("", "r")),
        *("neg", "pos", "abs", "invert"),
    ],
}
"""What an output can't do yet, by the special methods that would do it."""


def _refusal(what: str) -> Callable[..., NoReturn]:
    def refuse(self: Reference, *_: object) -> NoReturn:
        self._refuse(what)

    return refuse


for _what, _methods in _REFUSED.items():
    for _method in _methods:
        setattr(Reference, f"__{_method}__", _refusal(_what))


class OutputRef(Reference):
    """Stands for an output of a step, or for the part of it that indexing selects."""

    __slots__ = ("length", "output", "selector")

    def __init__(
        self, node: str, output: str, traced_by: object, selector: Selector = (), length: int | None = None
    ) -> None:
        super().__init__(node, traced_by)
        self.output = output
        self.selector = selector
        self.length = length
        """How many items there are to be unpacked, where the annotation says so."""

    def __getitem__(self, key: int | str) -> OutputRef:
        return self.part(checked_key(self, key))

    def __iter__(self) -> Iterator[OutputRef]:
        if self.length is None:
            return super().__iter__()
        return iter([self.part(number) for number in range(self.length)])

    def __len__(self) -> int:
        if self.length is None:
            self._refuse("be measured")
        return self.length

    def part(self, key: int | str | slice) -> OutputRef:
        """The part of it that a key selects."""
        return type(self)(self.node, self.output, self.traced_by, (*self.selector, key))

    def __repr__(self) -> str:
        return f"<output {self.output!r}{selector_text(self.selector)} of step {self.node!r}>"


class MappedRef(Reference):
    """Stands for an output of all calls that a map makes, a list whose length is known only when the run gets there."""

    __slots__ = ("output", "selector")

    def __init__(self, node: str, output: str, traced_by: object, selector: Selector = ()) -> None:
        super().__init__(node, traced_by)
        self.output = output
        self.selector = selector
        """Which of the calls, and which part of what it gives; empty for all."""

    def __getitem__(self, key: int | str) -> MappedRef:
        key = checked_key(self, key)
        if not self.selector and not isinstance(key, int):
            self._refuse(f"be indexed with {key!r}", "Index what a map gives with a number.")
        return MappedRef(self.node, self.output, self.traced_by, (*self.selector, key))

    def __repr__(self) -> str:
        return f"<output {self.output!r}{selector_text(self.selector)} of mapped step {self.node!r}>"


class NothingRef(Reference):
    """Stands for a call of a step that gives nothing: others can come after it, and that is all."""

    __slots__ = ()


def checked_key(ref: Reference, key: Any) -> int | str:
    """A key to index an output with. Raises `InvalidPipeline` where it can't be one yet."""
    if type(key) not in (int, str):
        ref._refuse(f"be indexed with a {type(key).__name__}", "Index it with a number or a text, or in a step.")
    chosen: int | str = key
    return chosen


def selector_text(selector: Selector) -> str:
    """A selector as it is written: ``[0]['a']``, ``[10:20]``."""
    return "".join([f"[{key.start}:{key.stop}]" if isinstance(key, slice) else f"[{key!r}]" for key in selector])
