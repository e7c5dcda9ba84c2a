"""Taught: the materializers that a program registered, on their way to processes that would not know of them.

Else the format that a value is saved in depended on where its step executes, and on what that process has imported.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from ...materializers import REGISTRY, Materializer
from ..surroundings.script import MAIN


class Taught(NamedTuple):
    """What this process registered."""

    modules: tuple[str, ...]
    """Where it is found by whoever imports them."""
    defined: tuple[type[Materializer[Any]], ...]
    """What the main program defines, which nobody else can import."""

    @classmethod
    def of_this_process(cls) -> Taught:
        """All that is registered here."""
        registered = REGISTRY.registered()
        modules = {one.__module__ for one in registered if one.__module__ != MAIN}
        return cls(tuple(sorted(modules)), tuple(one for one in registered if one.__module__ == MAIN))

    def teach(self) -> None:
        """Register it here; modules that this process can't find have nothing that is met in it."""
        for module in self.modules:
            if _is_found(module):
                import_module(module)
        for materializer in self.defined:
            REGISTRY.register(materializer)


def _is_found(module: str) -> bool:
    with suppress(ModuleNotFoundError, ValueError):
        return find_spec(module) is not None
    return False
