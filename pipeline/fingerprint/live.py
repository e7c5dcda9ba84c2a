"""Live code objects: what they are called, what they wrap, and which object a read ends at."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

from .boundary import Origins, module_name_of
from .bytecode import stable_qualname
from .main_module import module_named
from .reads import Read

_OURSELVES = __name__.partition(".")[0]
_MAX_WRAPPINGS = 32
_MISSING = object()
_PLANTED_AS_THEY_ARE = (int, float, complex, str, bytes, tuple, list, dict, set, frozenset)


@dataclass(frozen=True, slots=True)
class Target:
    """The object that a read ends at."""

    value: object
    owner: str | None
    """The module in which the last name was looked up; None for a name of the reader's closure."""
    name: str
    """That last name."""
    aliases: tuple[tuple[str | None, str, str], ...]
    """Names on the way, each below its owner, that lead to a module called otherwise, with that module's name."""
    rest: tuple[str, ...]
    """Attributes that are taken from the object itself."""


def function_symbol(function: FunctionType) -> str:
    """``def:module:qualname``, by the code and not by what a decorator may have copied."""
    return f"def:{module_name_of(function.__globals__)}:{stable_qualname(function.__code__.co_qualname)}"


def class_symbol(kind: type) -> str:
    """``class:module:qualname``."""
    module: object = kind.__module__  # may be any descriptor
    module = "__main__" if module == "__mp_main__" else module
    return f"class:{module}:{stable_qualname(kind.__qualname__)}"


def is_ours(value: object) -> bool:
    """Whether this is code of Lineal, or an instance of a class of it."""
    if isinstance(value, ModuleType):
        return value.__name__.partition(".")[0] == _OURSELVES
    kind = value if isinstance(value, (type, FunctionType)) else type(value)
    return (getattr(kind, "__module__", None) or "").partition(".")[0] == _OURSELVES


def declared_function(value: Any) -> Any:
    """The function behind a step or pipeline of ours; anything else as it is."""
    for _ in range(_MAX_WRAPPINGS):
        if isinstance(value, (type, FunctionType)) or not is_ours(value):
            break
        inner = getattr(value, "function", None) or getattr(value, "__wrapped__", None)
        if inner is None:
            break
        value = inner
    return value


def wrapped_functions(value: Any) -> Iterator[object]:
    """What a descriptor, step, method or decorated function wraps, itself first, outermost to innermost."""
    pending = [value]
    for _ in range(_MAX_WRAPPINGS):
        if not pending:
            return
        current = pending.pop()
        yield current
        if isinstance(current, property):
            pending += [part for part in (current.fdel, current.fset, current.fget) if part is not None]
        elif isinstance(current, cached_property):
            pending.append(current.func)
        elif isinstance(current, (staticmethod, classmethod, MethodType)):
            pending.append(current.__func__)
        elif is_ours(current) and not isinstance(current, (type, FunctionType)):
            inner = declared_function(current)
            pending += [] if inner is current else [inner]
        elif not isinstance(current, type):
            inner = wrapped_by(current)
            pending += [] if inner is None else [inner]


def wrapped_by(value: object) -> object | None:
    """What `functools.wraps` or `functools.lru_cache` notes in the object itself."""
    try:
        attributes = vars(value)
    except Exception:  # noqa: BLE001 — no attributes of its own, or a proxy that refuses to tell
        return None
    return attributes.get("__wrapped__") if isinstance(attributes, (dict, MappingProxyType)) else None


def namespace_of(module: str) -> dict[str, Any]:
    """The live names of an imported module."""
    found = module_named(module)
    return {} if found is None else vars(found)


def is_namespace(value: object) -> bool:
    """Whether these are the live names of a module."""
    name = value.get("__name__") if type(value) is dict else None
    module = module_named(name) if isinstance(name, str) else None
    return module is not None and vars(module) is value


def lives_at(namespace: Mapping[str, object], qualname: str, value: object) -> bool:
    """Whether the module's live name leads to this function or class, perhaps through decorators."""
    if "<" in qualname:
        return False
    current: object = namespace.get(qualname.partition(".")[0], _MISSING)
    for part in qualname.split(".")[1:]:
        inner = next((item for item in wrapped_functions(current) if isinstance(item, type)), None)
        if inner is None:
            return False
        current = vars(inner).get(part, _MISSING)
    return current is value or any(item is value for item in wrapped_functions(current))


def module_attribute(value: Any) -> str | None:
    """``module:name`` of a compiled function, or of a method that its module hands out as a function of its own."""
    name = getattr(value, "__name__", None)
    if not isinstance(name, str) or isinstance(value, (type, FunctionType, ModuleType)) or not callable(value):
        return None
    bound_to = type(getattr(value, "__self__", None))
    for module in (getattr(value, "__module__", None), bound_to.__module__):
        found = namespace_of(module).get(name, _MISSING) if isinstance(module, str) else _MISSING
        if type(found) is type(value) and found == value:
            return f"{module}:{name}"
    return None


def typing_form(value: Any) -> str | None:
    """The name under which `typing` hands this out: what kind of object it is there differs between versions."""
    if "typing" not in (getattr(value, "__module__", None), type(value).__module__):
        return None
    name = getattr(value, "__name__", None) or getattr(value, "_name", None)
    return name if isinstance(name, str) and namespace_of("typing").get(name) is value else None


def cells_of(function: FunctionType) -> dict[str, object]:
    """What the free names of a closure hold; names that are not bound yet are left out."""
    cells: dict[str, object] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            cells[name] = cell.cell_contents
        except ValueError:
            continue
    return cells


def defaults_of(function: FunctionType) -> dict[str, object]:
    """The live default values by parameter."""
    code = function.__code__
    defaults = function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    return {**dict(zip(names[len(names) - len(defaults) :], defaults, strict=True)), **(function.__kwdefaults__ or {})}


def attributes_of(function: FunctionType) -> dict[str, object]:
    """What has been set on the function, less what describes it."""
    return {name: value for name, value in function.__dict__.items() if not name.startswith("__")}


def resolve(read: Read, namespace: dict[str, Any], cells: Mapping[str, object], origins: Origins) -> Target | None:
    """Follow a read to its live object, through first-party modules only.

    A first-party module that the code imports when it runs is imported now, so that the answer does not depend on
    whether the code ran before; other modules are never imported.

    Returns:
        None for built-in names, and for names and modules that can't be had.
    """
    if read.module is not None:
        return _imported(read, namespace, origins)
    name, module = read.path[0], module_name_of(namespace)
    if name in cells:
        return _through_modules(Target(cells[name], None, name, (), read.path[1:]), name, origins)
    if name not in namespace:
        found = vars(builtins).get(name)
        if not _is_planted_in_builtins(found, origins):
            return None
        return Target(found, "builtins", name, (), read.path[1:])
    found = namespace[name]
    if getattr(builtins, name, _MISSING) is found:
        return None
    return _through_modules(Target(found, module, name, (), read.path[1:]), name, origins)


def _is_planted_in_builtins(found: object, origins: Origins) -> bool:
    """Whether no Python has this among its built-in names."""
    if isinstance(found, type):
        return origins.is_followed(found.__module__)
    return isinstance(found, (FunctionType, *_PLANTED_AS_THEY_ARE)) and found is not __debug__


def _imported(read: Read, namespace: dict[str, Any], origins: Origins) -> Target | None:
    name = read.module or ""
    if read.level:
        package = namespace.get("__package__") or module_name_of(namespace).rpartition(".")[0]
        try:
            name = importlib.util.resolve_name("." * read.level + name, package)
        except ImportError:
            return None
    module = sys.modules.get(name)
    if module is None:
        if not origins.is_followed(name):
            return Target(_Unloaded(name), None, name, (), ())
        module = _import(name)
        if module is None:
            return None
    if read.path and hasattr(module, "__path__") and origins.is_followed(name) and not hasattr(module, read.path[0]):
        _import(f"{name}.{read.path[0]}")  # from a package, modules that it has not imported can be imported too
    return _through_modules(Target(module, None, name, (), read.path), name, origins)


def _import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except Exception:  # noqa: BLE001 — foreign code: that it fails is for the step to find out, if it gets there
        return None


class _Unloaded(ModuleType):
    """Stands for a module of others that is not imported yet, by its name."""


def _through_modules(target: Target, spelled: str, origins: Origins) -> Target:
    """Step from module to attribute as long as the object is a first-party module."""
    value, owner, name, aliases, rest = target.value, target.owner, target.name, list(target.aliases), target.rest
    while isinstance(value, ModuleType):
        if spelled != value.__name__:
            aliases.append((owner, name, value.__name__))
        if not rest:
            break
        if not origins.is_followed(value.__name__):
            found = _planted(value, rest, origins)
            if found is not None:
                value, owner, name, rest = found
            break
        attribute = _attribute(value, rest[0])
        if attribute is _MISSING:
            break
        owner, name, spelled = value.__name__, rest[0], f"{value.__name__}.{rest[0]}"
        value, rest = attribute, rest[1:]
    return Target(value, owner, name, tuple(aliases), rest)


def _planted(
    module: ModuleType, rest: tuple[str, ...], origins: Origins
) -> tuple[object, str, str, tuple[str, ...]] | None:
    """The project's function or class that the project has put into a module of others."""
    for place, name in enumerate(rest):
        found = vars(module).get(name)
        if isinstance(found, ModuleType):
            module = found
            continue
        if isinstance(found, (FunctionType, type)) and origins.is_followed(*home_of(found)):
            return found, module.__name__, name, rest[place + 1 :]
        return None
    return None


def home_of(code: FunctionType | type) -> tuple[str, str | None]:
    """The module, and for a function the file, that its code is of."""
    if isinstance(code, type):
        return code.__module__, None
    return module_name_of(code.__globals__), code.__code__.co_filename


def _attribute(module: ModuleType, name: str) -> object:
    if name in vars(module):
        return vars(module)[name]
    submodule = sys.modules.get(f"{module.__name__}.{name}")
    if submodule is not None:
        return submodule
    try:
        return getattr(module, name)  # the module's own __getattr__, as the code itself would meet it
    except (AttributeError, ImportError):
        return _MISSING
