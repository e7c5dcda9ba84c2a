"""Declared steps and pipelines by the names that the log knows: module and qualified name of their functions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

D = TypeVar("D")


def declared(function: str, kind: type[D], made_of: Callable[[Any], D]) -> D | None:
    """The step or pipeline whose function is called so; None if it can't be imported.

    A name may lead to the declared thing itself, or to the plain function of one that is bound to another name, or to
    none. Raises whatever importing the module raises.

    Args:
        function: Module and qualified name.
        kind: What to look for.
        made_of: Makes one of a plain function.
    """
    names = function.split(".")
    for count in range(len(names) - 1, 0, -1):
        module = _module(".".join(names[:count]))
        if module is None:
            continue
        found: Any = module
        for name in names[count:]:
            found = getattr(found, name, None)
        for candidate in (found, *vars(module).values()):
            if isinstance(candidate, kind) and _name_of(candidate) == function:
                return candidate
        return made_of(found) if callable(found) and hasattr(found, "__code__") else None
    return None


def _module(name: str) -> ModuleType | None:
    try:
        return sys.modules.get(name) or import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            return None
        raise


def _name_of(declared: Any) -> str:
    return f"{declared.function.__module__}.{declared.function.__qualname__}"
