"""Checks: whether a value fits the annotation of the parameter that it is given for.

They are made once a function. What an annotation can't say without guessing is not checked: unknown names, type
variables, ``Any``, protocols. Nothing is converted, ever: a value fits, or the call is wrong.
"""

from __future__ import annotations

import collections.abc
import inspect
import numbers
import reprlib
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, Literal, NewType, Union, get_args, get_origin
from weakref import WeakKeyDictionary

from ...errors import InvalidPipeline
from .annotations import UNKNOWN, annotations_of, bare, is_typed_dict

_ITEMS_MAX = 1000
"""Of a container so many items are looked at."""
_DEPTH_MAX = 4
_SHOWN_MAX_CHARACTERS = 80

Accepts = Callable[[Any], bool]
Inner = Callable[[Any], Iterator[tuple[str, Any, "Check | None"]]]


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a value fits one annotation."""

    expected: str
    accepts: Accepts
    inner: Inner | None = None
    """The items of a container: where each is, what it is, and what it must fit."""
    takes: Callable[[type], bool] = lambda _: True
    """Whether some instance of a class may fit, as far as that is known."""

    def misfit(self, value: Any, place: str) -> tuple[str, Any, str] | None:
        """What does not fit: where it is, what it is, and what was expected; None if all fits."""
        if not self.accepts(value):
            return place, value, self.expected
        if self.inner is not None:
            for suffix, item, check in islice(self.inner(value), _ITEMS_MAX):
                if check is not None and not (check.inner is None and check.accepts(item)):
                    found = check.misfit(item, place + suffix)
                    if found is not None:
                        return found
        return None


_of_functions: WeakKeyDictionary[Callable[..., Any], Mapping[str, Check]] = WeakKeyDictionary()


def checks_of(function: Callable[..., Any]) -> Mapping[str, Check]:
    """What the arguments of a function must fit, by parameter; those of ``*args`` and ``**kwargs`` each by itself."""
    known = _of_functions.get(function)
    if known is None:
        known = _of_functions[function] = dict(_compiled(function))
    return known


def check(checks: Mapping[str, Check], arguments: Mapping[str, Any], where: str) -> None:
    """Raise `InvalidPipeline` if one of the arguments does not fit."""
    for name, value in arguments.items():
        one = checks.get(name)
        if one is not None and not (one.inner is None and one.accepts(value)):
            found = one.misfit(value, name)
            if found is not None:
                place, misfit, expected = found
                raise _refusal(place, _shown_value(misfit), expected, where, _hint(misfit, expected))


def check_kinds(checks: Mapping[str, Check], kinds: Mapping[str, type], where: str) -> None:
    """Raise `InvalidPipeline` if an argument can't fit, of which only the class is known."""
    for name, kind in kinds.items():
        one = checks.get(name)
        if one is not None and not one.takes(kind):
            shown = "None" if kind is types.NoneType else f"a {kind.__name__}"
            raise _refusal(name, shown, one.expected, where, _hint(None, one.expected))


def _refusal(place: str, shown: str, expected: str, where: str, hint: str) -> InvalidPipeline:
    return InvalidPipeline(
        f"{place!r} is annotated {expected} but is given {shown}",
        where=where,
        hint=hint,
        parameter=place,
    )


def _shown_value(value: Any) -> str:
    shown = "None" if value is None else f"a {type(value).__name__}"
    return f"{shown}, {reprlib.repr(value)}" if type(value) in (bool, int, float, str, bytes) else shown


def _hint(value: Any, expected: str) -> str:
    if type(value) is str and expected in ("int", "float", "bool"):
        return f"Convert it where it is read: {expected}(…); nothing is converted on the way."
    if type(value) is bool and expected in ("int", "float", "complex"):
        return f"Write a number, or annotate the parameter bool | {expected}."
    return "Pass what the annotation says, or correct the annotation."


def _compiled(function: Callable[..., Any]) -> Iterator[tuple[str, Check]]:
    annotations = annotations_of(function)
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return
    for name, parameter in parameters.items():
        found = compiled(annotations.get(name, UNKNOWN))
        if found is None:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            yield name, _items("*" + found.expected, lambda value: isinstance(value, tuple), found)
        elif parameter.kind is parameter.VAR_KEYWORD:
            yield name, _entries("**" + found.expected, lambda value: isinstance(value, dict), None, found)
        else:
            is_fit = parameter.default is parameter.empty or found.misfit(parameter.default, name) is None
            yield name, found if is_fit else _or_default(found, parameter.default)


def _or_default(found: Check, default: Any) -> Check:
    """What is checked, or the parameter's own default: what it means is the function's business."""
    return Check(
        found.expected,
        lambda value: value is default or found.misfit(value, "") is None,
        takes=lambda kind: kind is type(default) or found.takes(kind),
    )


def compiled(annotation: Any, depth: int = 0) -> Check | None:
    """The check for an annotation; None if nothing can be said."""
    annotation = bare(annotation)
    while isinstance(annotation, NewType) or type(annotation).__name__ == "TypeAliasType":
        annotation = bare(annotation.__supertype__ if isinstance(annotation, NewType) else annotation.__value__)
    if depth > _DEPTH_MAX or any(annotation is one for one in _UNCHECKED):
        return None
    if annotation is None or annotation is type(None):
        return Check("None", lambda value: value is None, takes=lambda kind: kind is types.NoneType)
    simple = _SIMPLE.get(annotation) if isinstance(annotation, type) else None
    if simple is not None:
        return Check(annotation.__name__, simple, takes=partial(_takes_simple, annotation))
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return _union(annotation, depth)
    if origin is Literal:
        options = get_args(annotation)
        return Check(
            _shown(annotation), lambda value: any(type(value) is type(one) and value == one for one in options)
        )
    if origin is not None:
        return _generic(annotation, origin, depth)
    if isinstance(annotation, type):
        return _class(annotation)
    return None


def _union(annotation: Any, depth: int) -> Check | None:
    options = [compiled(one, depth + 1) for one in get_args(annotation)]
    if any(option is None for option in options):
        return None
    checks = [option for option in options if option is not None]

    def takes(kind: type) -> bool:
        return any(option.takes(kind) for option in checks)

    if all(option.inner is None for option in checks):
        accepting = [option.accepts for option in checks]
        return Check(_shown(annotation), lambda value: any(accepts(value) for accepts in accepting), takes=takes)
    return Check(
        _shown(annotation), lambda value: any(option.misfit(value, "") is None for option in checks), takes=takes
    )


def _class(kind: type) -> Check | None:
    if is_typed_dict(kind):
        required: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
        return Check(kind.__name__, lambda value: isinstance(value, dict) and required <= value.keys())
    if getattr(kind, "_is_protocol", False):
        return None
    return Check(_shown(kind), _instance(kind), takes=_subclass(kind))


def _subclass(kind: type) -> Callable[[type], bool]:
    def takes(other: type) -> bool:
        try:
            return issubclass(other, kind)
        except TypeError:
            return True  # As of instances.

    return takes


def _takes_simple(annotation: type, kind: type) -> bool:
    """What `_SIMPLE` says, of a class."""
    if issubclass(kind, bool) or kind.__name__ in ("bool", "bool_"):
        return annotation is bool
    return issubclass(kind, _ABSTRACT.get(annotation, annotation))


def _instance(kind: Any) -> Accepts:
    def accepts(value: Any) -> bool:
        try:
            return isinstance(value, kind)
        except TypeError:
            return True  # Not a class that can be asked, such as a protocol with data in it.

    return accepts


def _generic(annotation: Any, origin: Any, depth: int) -> Check | None:
    arguments, shown = get_args(annotation), _shown(annotation)
    if origin is type:
        return Check(shown, lambda value: isinstance(value, type))
    if origin is collections.abc.Callable:
        return Check(shown, callable)
    if not isinstance(origin, type) or getattr(origin, "_is_protocol", False):
        return None
    found = Check(shown, _instance(origin))
    if origin is tuple and Ellipsis not in arguments:
        found = _fixed_tuple(shown, [compiled(one, depth + 1) for one in arguments])
    elif issubclass(origin, collections.abc.Mapping) and len(arguments) == 2:
        found = _entries(shown, found.accepts, *(compiled(one, depth + 1) for one in arguments))
    elif issubclass(origin, collections.abc.Collection) and arguments:
        found = _items(shown, found.accepts, compiled(arguments[0], depth + 1))
    return replace(found, takes=_subclass(origin))


def _items(shown: str, accepts: Accepts, item: Check | None) -> Check:
    if item is None:
        return Check(shown, accepts)

    def inner(value: Any) -> Iterator[tuple[str, Any, Check | None]]:
        return ((f"[{number}]", one, item) for number, one in enumerate(_items_of(value)))

    return Check(shown, accepts, inner)


def _items_of(value: Any) -> Iterable[Any]:
    """The items of a built-in container; what others hold is for others to say, and may take reading."""
    return value if isinstance(value, list | tuple | set | frozenset | collections.deque | range) else ()


def _entries(shown: str, accepts: Accepts, key: Check | None, item: Check | None) -> Check:
    if key is None and item is None:
        return Check(shown, accepts)

    def inner(value: Any) -> Iterator[tuple[str, Any, Check | None]]:
        for one, found in value.items() if isinstance(value, dict) else ():
            yield f" key {one!r}", one, key
            yield f"[{one!r}]", found, item

    return Check(shown, accepts, inner)


def _fixed_tuple(shown: str, items: list[Check | None]) -> Check:
    def inner(value: Any) -> Iterator[tuple[str, Any, Check | None]]:
        return ((f"[{number}]", *pair) for number, pair in enumerate(zip(value, items, strict=True)))

    return Check(shown, lambda value: isinstance(value, tuple) and len(value) == len(items), inner)


def _is_int(value: Any) -> bool:
    return type(value) is int or (isinstance(value, numbers.Integral) and not isinstance(value, bool))


def _is_float(value: Any) -> bool:
    if type(value) is float:
        return True
    return not isinstance(value, bool) and (
        isinstance(value, float | numbers.Integral) or (_is_numpy(value) and isinstance(value, numbers.Real))
    )


def _is_complex(value: Any) -> bool:
    return _is_float(value) or isinstance(value, complex) or (_is_numpy(value) and isinstance(value, numbers.Complex))


def _is_bool(value: Any) -> bool:
    return value is True or value is False or (_is_numpy(value) and type(value).__name__ in ("bool", "bool_"))


def _is_numpy(value: Any) -> bool:
    return type(value).__module__ == "numpy"


_SIMPLE: dict[type, Accepts] = {
    bool: _is_bool,
    int: _is_int,
    float: _is_float,
    complex: _is_complex,
    str: lambda value: isinstance(value, str),
    bytes: lambda value: isinstance(value, bytes),
}
_ABSTRACT: dict[type, type] = {int: numbers.Integral, float: numbers.Real, complex: numbers.Complex}
"""An int does for a float and a float for a complex, as PEP 484 says, and NumPy's numbers for Python's; a bool is no
number here."""


_UNCHECKED = (UNKNOWN, Any, object, inspect.Parameter.empty)


def _shown(annotation: Any) -> str:
    is_class = isinstance(annotation, type) and get_origin(annotation) is None
    text = annotation.__qualname__ if is_class else repr(annotation).replace("typing.", "")
    return text if len(text) <= _SHOWN_MAX_CHARACTERS else f"{text[: _SHOWN_MAX_CHARACTERS - 1]}…"
