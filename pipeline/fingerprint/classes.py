"""What a live class consists of: its statement, and the methods, attributes, members and fields that count.

What dataclasses, enums, named tuples and the like generate is left out: it follows from the rest, and differs between
Python versions.
"""

from __future__ import annotations

import abc
import dataclasses
import enum
import inspect
import sys
from abc import ABCMeta
from collections.abc import Iterator
from functools import cached_property
from types import CodeType, FunctionType, GetSetDescriptorType, MemberDescriptorType
from typing import Any
from weakref import ref

from ...cas.digest import Digest, digest_of
from .boundary import Origins, module_name_of
from .bytecode import stable_qualname
from .definitions import Definition
from .framing import frame_all, frame_str
from .live import class_symbol, function_symbol, lives_at, namespace_of, wrapped_functions
from .sources import SOURCES

PLAIN_METACLASSES = (type, ABCMeta)
"""Metaclasses that add nothing to what a class statement says."""
_DESCRIPTORS = (staticmethod, classmethod, property, cached_property)
_TOLD_BY_THE_STATEMENT = frozenset({"__slots__", "__doc__", "__match_args__"})
_PLAIN = (bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset)
_KEPT_BY_PYTHON = frozenset({"_abc_impl", "_is_protocol", "_is_runtime_protocol"})
_SLOTS = (MemberDescriptorType, GetSetDescriptorType)
_GENERATORS_MARKS = ("__dataclass_fields__", "_fields", "__attrs_attrs__")


def class_definition(kind: type) -> Definition | None:
    """The class statement that made the live class, None if no text is known that has it."""
    qualname, symbol = stable_qualname(kind.__qualname__), class_symbol(kind)
    codes: list[CodeType] = []
    for member in vars(kind).values():
        for function in wrapped_functions(member):
            if isinstance(function, FunctionType) and _stands_in(function, symbol, f"{qualname}."):
                codes.append(function.__code__)
    namespace = namespace_of(kind.__module__)
    filename = codes[0].co_filename if codes else namespace.get("__file__")
    if not isinstance(filename, str):
        return None
    live: dict[str, object] = {**dict.fromkeys(_annotated(kind), ...), **vars(kind)}
    return SOURCES.first(filename, namespace, lambda text: text.of_class(qualname, codes, live))


def is_stale(kind: type) -> bool:
    """Whether there is a class statement of this name that is not the one that made the live class."""
    namespace, qualname = namespace_of(kind.__module__), stable_qualname(kind.__qualname__)
    filename = namespace.get("__file__") or ""
    return any(text.has_class(qualname) for text in SOURCES.texts(filename, namespace))


def registered_with(kind: object, *, below: bool) -> Iterator[type]:
    """The virtual subclasses that `abc.ABCMeta.register` gave a class, and with ``below`` those of its subclasses."""
    if not isinstance(kind, ABCMeta):
        return
    dump = getattr(abc, "_get_dump", None)  # its C form keeps them to itself but for this
    for reference in dump(kind)[0] if dump is not None else vars(kind).get("_abc_registry", ()):
        other = reference() if isinstance(reference, ref) else reference
        if other is not None and _is_current(other):
            yield other
    subclasses: list[type] = kind.__subclasses__() if below else []
    for inner in subclasses:
        yield from registered_with(inner, below=True)


def _is_current(kind: type) -> bool:
    """Whether it is not one that a reload of its module has left behind."""
    qualname = kind.__qualname__
    return "<" in qualname or lives_at(namespace_of(kind.__module__), qualname, kind)


def class_structure(kind: type, origins: Origins) -> Digest:
    """What stands in for a missing class statement: bases, and the names of members and annotations."""
    names = sorted({name for name, _ in class_members(kind, None, origins)})
    parts = [*map(class_symbol, kind.__bases__), "", *names, "", *_annotated(kind)]
    return digest_of(frame_all(b"C", [frame_str(part) for part in parts]))


def class_members(kind: type, definition: Definition | None, origins: Origins) -> Iterator[tuple[str, object]]:
    """The attributes that count, by name: methods, descriptors, data, members and fields."""
    fixed: dict[str, object] = dict(_generated_from(kind))
    bound = definition.bound if definition is not None else frozenset()
    is_open = origins.is_followed(type(kind).__module__) or type(kind) in PLAIN_METACLASSES
    for name, member in sorted(vars(kind).items()):
        if isinstance(member, _SLOTS) or name in fixed:
            continue
        if isinstance(member, (FunctionType, *_DESCRIPTORS)):
            if not _is_generated(member, kind, origins) or not name.startswith("_"):
                yield name, member
        elif name in bound:
            if name not in _TOLD_BY_THE_STATEMENT:
                yield name, member
        elif name.startswith("__") or name in _KEPT_BY_PYTHON:
            continue
        elif is_open or (isinstance(member, _PLAIN) and not name.startswith("_")):
            # Set by a decorator, a metaclass or from outside; metaclasses of others keep much that is theirs.
            yield name, member
    for name, item in fixed.items():
        if item is not dataclasses.MISSING:
            yield name, item


def _generated_from(kind: Any) -> Iterator[tuple[str, object]]:
    """What enums, named tuples and dataclasses make the rest from; MISSING for attributes that tell nothing."""
    if isinstance(kind, enum.EnumMeta):
        members: dict[str, Any] = dict(kind.__members__)
        yield from ((name, member.value) for name, member in members.items())
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        yield from dict.fromkeys(kind._fields, dataclasses.MISSING).items()
        yield "_fields", kind._fields
        yield "_field_defaults", getattr(kind, "_field_defaults", {})
    if dataclasses.is_dataclass(kind):
        for field in dataclasses.fields(kind):
            if field.default_factory is not dataclasses.MISSING:
                yield f"{field.name}()", field.default_factory
            elif field.default is not dataclasses.MISSING and field.name not in vars(kind):
                yield field.name, field.default


def _is_generated(member: object, kind: type, origins: Origins) -> bool:
    """Whether a method was written by a class decorator or a metaclass, not by a person."""
    functions = [item for item in wrapped_functions(member) if isinstance(item, FunctionType)]
    if any(hasattr(kind, mark) for mark in _GENERATORS_MARKS) and any(map(_has_made_up_file, functions)):
        return True
    return bool(functions) and not any(
        origins.is_followed(module_name_of(function.__globals__), function.__code__.co_filename)
        for function in functions
    )


def _has_made_up_file(function: FunctionType) -> bool:
    filename = function.__code__.co_filename
    return filename == "<string>" or filename.startswith("<attrs generated")


def _stands_in(function: FunctionType, symbol: str, prefix: str) -> bool:
    """Whether the function was defined in the class's own body."""
    module, _, qualname = function_symbol(function).partition(":")[2].rpartition(":")
    is_direct = qualname.startswith(prefix) and "." not in qualname[len(prefix) :]
    return is_direct and symbol.startswith(f"class:{module}:") and not _has_made_up_file(function)


def _annotated(kind: type) -> list[str]:
    """The names that the class itself annotates, in their order."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return list(annotationlib.get_annotations(kind, format=annotationlib.Format.FORWARDREF))
    return list(inspect.get_annotations(kind))
