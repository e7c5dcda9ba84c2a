"""Packing code: functions on their way to other processes, and what they need of a main program that is another there.

Invariant: each unpacking has a main module of its own, so what one call's code finds there is what was packed with it.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import linecache
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from ..fingerprint import CodeManifest, CodeWalker
from ..fingerprint.live import is_ours
from ..fingerprint.main_module import module_named
from ..surroundings.script import MAIN

_ATTRIBUTES = ("__file__", "__package__")


class _Names(dict[str, Any]):
    """Stands for the names of the main module, which functions of it share."""


class MainProgram(NamedTuple):
    """What code of the main program is made of and does not name when it runs, so that it would not travel."""

    module: ModuleType
    """The main module; what is unpacked is one that stands in for it."""
    names: Mapping[str, Any]
    """What it has under the names that decorators, classes and the like are written with."""
    texts: Mapping[str, Sequence[str]]
    """The lines of cells, which are in no file."""

    @classmethod
    def of(cls, function: Callable[..., Any], code: CodeManifest) -> MainProgram | None:
        """That of a step's function with its code manifest; None if it is of another module."""
        module = module_named(MAIN)
        if module is None or not isinstance(function, FunctionType) or function.__globals__ is not vars(module):
            return None
        is_versioned = str(code.entries.get("root", "")).startswith("version ")
        nodes = CodeWalker().reached(function)
        symbols = [symbol for node in nodes for symbol in node.entries] if is_versioned else code.entries
        wanted = {*_names_in(symbols), *(name for name, value in vars(module).items() if _may_declare(value))}
        names = {name: value for name, value in vars(module).items() if name in wanted}
        files = {node.code.__code__.co_filename for node in nodes if isinstance(node.code, FunctionType)}
        return cls(module, names, {name: lines for name in sorted(files) if (lines := _lines_in_no_file(name))})

    def settle(self) -> None:
        """Let code find here what it was written with."""
        for name, value in self.names.items():
            vars(self.module).setdefault(name, value)
        for filename, lines in self.texts.items():
            linecache.cache.setdefault(filename, (sum(map(len, lines)), None, [*lines], filename))


def _names_in(symbols: Iterable[str]) -> Iterable[str]:
    for symbol in symbols:
        module, _, qualname = symbol.partition(":")[2].partition(":")
        if module == MAIN:
            yield qualname.partition(".")[0]


def _may_declare(value: object) -> bool:
    return isinstance(value, ModuleType | FunctionType | type) and is_ours(value)


def _lines_in_no_file(filename: str) -> Sequence[str]:
    return [] if os.path.exists(filename) else linecache.getlines(filename)


def packed(value: Any) -> bytes:
    """A value in bytes: functions that can't be imported elsewhere, as those of the main program, go along."""
    import cloudpickle

    main = module_named(MAIN)

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        """Sends what can be had by name so, and by value what could not be found by it."""

        def reducer_override(self, value: Any) -> Any:
            kind = type(value)
            if kind is FunctionType and _is_declared(value):
                return _declared, (value.__module__, value.__qualname__)
            if value is dataclasses.MISSING:
                return "MISSING"  # A copy of it would be a default.
            if kind is _Names:
                return vars, (main,)
            if value is main and main is not None:
                return _stand_in, tuple(getattr(main, name, None) for name in _ATTRIBUTES)
            if kind is functools._lru_cache_wrapper and _is_only_here(value) and callable(value.__wrapped__):
                return _cached, (value.__wrapped__, value.cache_parameters())
            reduced = super().reducer_override(value)
            return _untracked(reduced) if isinstance(value, type) and type(reduced) is tuple else reduced

    buffer = io.BytesIO()
    pickler = Pickler(buffer)
    if main is not None:
        pickler.globals_ref[id(vars(main))] = _Names(__name__=MAIN)
    pickler.dump(value)
    return buffer.getvalue()


def _untracked(reduced: tuple[Any, ...]) -> tuple[Any, ...]:
    """How a class is made, less the id by which it would be one with what was unpacked before, and change that."""
    from cloudpickle import cloudpickle as parts

    make, arguments, *rest = reduced
    if make in (parts._make_skeleton_class, parts._make_skeleton_enum):
        *arguments, _, extra = arguments
        return make, (*arguments, None, extra), *rest
    return reduced


def _stand_in(*attributes: str | None) -> ModuleType:
    module = ModuleType(MAIN)
    vars(module).update(zip(_ATTRIBUTES, attributes, strict=True))
    return module


def _cached(function: Callable[..., Any], parameters: Mapping[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(function)


def _is_only_here(function: Any) -> bool:
    """Whether no other process finds this by importing its module."""
    return function.__module__ == MAIN or "<locals>" in function.__qualname__


def _is_declared(function: FunctionType) -> bool:
    """Whether another process finds this function by importing the step that it is declared as."""
    if _is_only_here(function):
        return False
    module = sys.modules.get(function.__module__)
    found: Any = module
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return getattr(found, "function", None) is function


def _declared(module: str, qualname: str) -> Any:
    """The function of the step of this name."""
    return reduce(getattr, qualname.split("."), import_module(module)).function
