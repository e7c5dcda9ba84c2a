"""Annotations of steps and of the classes in them, evaluated one by one: what can't be evaluated is unknown."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ForwardRef, get_args, get_origin

from ...errors import InvalidPipeline

UNKNOWN: Any = object()
"""Stands for an annotation that is missing, or that can't be evaluated."""

_WRITTEN_DECLARATIONS = ("tuple[", "annotated[")


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """What a function's parameters and its ``return`` are annotated with, as far as it can be evaluated."""
    scope = _scope(function)
    return {name: evaluated(raw, scope) for name, raw in _raw(function).items()}


def return_annotation(function: Callable[..., Any]) -> Any:
    """What a function is annotated to return.

    Raises:
        InvalidPipeline: It declares several outputs, or names one, and can't be evaluated.
    """
    return _required(_raw(function).get("return", UNKNOWN), _scope(function), "the return annotation", function)


def field_annotation(kind: type, field: str, raw: Any) -> Any:
    """What a field of a class is annotated with; raises as `return_annotation` says."""
    module = sys.modules.get(kind.__module__)
    scope = {**vars(kind), **({} if module is None else vars(module))}
    return _required(raw, scope, f"the annotation of field {field!r}", kind)


def evaluated(raw: Any, scope: Mapping[str, Any]) -> Any:
    """An annotation, from its text where it is one; `UNKNOWN` where it can't be evaluated."""
    text = raw.__forward_arg__ if isinstance(raw, ForwardRef) else raw
    if not isinstance(text, str):
        return raw
    try:
        return eval(text, dict(scope))  # an annotation is the step's own code
    except Exception:  # noqa: BLE001 — a name for type checkers alone; what it stands for nobody can tell
        return UNKNOWN


def bare(annotation: Any) -> Any:
    """The type in ``Annotated[T, …]``; anything else as it is."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _required(raw: Any, scope: Mapping[str, Any], what: str, owner: Any) -> Any:
    found = evaluated(raw, scope)
    if found is UNKNOWN and raw is not UNKNOWN:
        text = raw.__forward_arg__ if isinstance(raw, ForwardRef) else raw
        if any(written in text.lower() for written in _WRITTEN_DECLARATIONS):
            raise InvalidPipeline(
                f"{what} {text!r} can't be evaluated",
                where=owner.__qualname__,
                hint="Import the names it uses at run time, not under TYPE_CHECKING.",
            )
    return found


def _raw(function: Callable[..., Any]) -> Mapping[str, Any]:
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(function, format=annotationlib.Format.FORWARDREF)
    found: Mapping[str, Any] = getattr(function, "__annotations__", {})
    return found


def _scope(function: Callable[..., Any]) -> dict[str, Any]:
    """The names that an annotation's text may use: the module's, and of outer functions those that the body uses."""
    inner: Any = function
    while hasattr(inner, "__wrapped__"):
        inner = inner.__wrapped__
    scope = dict(getattr(inner, "__globals__", {}))
    code = getattr(inner, "__code__", None)
    if isinstance(code, types.CodeType):
        for name, cell in zip(code.co_freevars, getattr(inner, "__closure__", None) or (), strict=False):
            try:
                scope[name] = cell.cell_contents
            except ValueError:
                continue  # What is defined below the function has no value yet.
    return scope


def is_typed_dict(kind: Any) -> bool:
    """Whether a class is a `typing.TypedDict`."""
    return typing.is_typeddict(kind)


def is_named_tuple(kind: Any) -> bool:
    """Whether a class is a `typing.NamedTuple`, or a `collections.namedtuple`."""
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")
