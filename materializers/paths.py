"""Where inside a value another one is, spelled as Python would reach it: ``['model'].weights[3]``."""

from __future__ import annotations

import functools
import reprlib
import types
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice

from .forms import Record, contents_of
from .records import form_of

_MAX_STEPS = 30
_MAX_SUSPECTS = 10_000


def path_to(root: object, target: object) -> str:
    """The way from a container through plain containers and records to one object; empty if it isn't there."""
    pending: list[tuple[str, object]] = [("", root)]
    seen: set[int] = set()
    while pending:
        path, value = pending.pop()
        if value is target:
            return path
        if id(value) not in seen:
            seen.add(id(value))
            inner = chain(_items(value), _attributes(value) if form_of(type(value)) is not None else ())
            pending.extend((path + step, one) for step, one in inner)
    return ""


def path_to_culprit(root: object, is_guilty: Callable[[object], bool]) -> tuple[list[str], object]:
    """Follow the guilt inwards, step by step, to the last object that has it; give up where there are too many."""
    steps: list[str] = []
    value = root
    seen = {id(root)}
    while len(steps) < _MAX_STEPS:
        for step, one in islice(chain(_items(value), _attributes(value)), _MAX_SUSPECTS):
            if id(one) not in seen and is_guilty(one):
                seen.add(id(one))
                steps.append(step)
                value = one
                break
        else:
            break
    return steps, value


def _items(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield f"[{reprlib.repr(key)}]", one
        for key in value:
            yield f".key({reprlib.repr(key)})", key
    elif isinstance(value, Record):
        yield from ((f".{name}", one) for name, one in contents_of(value)[1].items())
    elif isinstance(value, (list, tuple, deque)):
        for index, one in enumerate(value):
            yield f"[{index}]", one
    elif isinstance(value, (set, frozenset)):
        for one in value:
            yield f".member({reprlib.repr(one)})", one


def _attributes(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, types.FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=False):
            try:
                yield f".closure({name})", cell.cell_contents
            except ValueError:
                continue  # It is still empty.
    elif isinstance(value, types.MethodType):
        yield ".__self__", value.__self__
    elif isinstance(value, functools.partial):
        yield from ((".func", value.func), (".args", value.args), (".keywords", value.keywords))
    elif not isinstance(value, (type, types.ModuleType)):
        for name, one in getattr(value, "__dict__", {}).items():
            yield f".{name}", one
        for kind in type(value).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if hasattr(value, name):
                    yield f".{name}", getattr(value, name)
