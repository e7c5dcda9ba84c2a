"""Code that is pickled itself, since no module leads to it in another process, taken apart so that it is always equal.

That is what the main program, a notebook or a function defines. Cloudpickle takes it apart; here what it gives is rid
of all that does not say what the code does: files and lines, random ids, orders of hashes, and what is noted in a class
while it is used. Streams name nothing but what cloudpickle has to make code again.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any, TypeVar
from weakref import WeakSet

import cloudpickle
from cloudpickle import cloudpickle as parts

from .base import name_of_code, type_name
from .forms import NOT_BY_NAME

DERIVED = ("__pydantic_core_schema__", "__pydantic_serializer__", "__pydantic_validator__")
"""What pydantic makes of the fields of a class, with addresses in it; it can make it again."""
_DECORATORS = "pydantic._internal._decorators"
"""Where pydantic keeps what validates: with the address of the class it is of, which is asked by nobody."""
_NOTED = {
    *DERIVED,
    "__firstlineno__",
    "__pydantic_parent_namespace__",
    "__pydantic_setattr_handlers__",
    "__signature__",
    "__slotnames__",
}
"""What else is in a class only once it was used, or says where it stood; its module is told apart."""
_ATOMS = (str, bytes, int, float)
_CODE = (type, FunctionType, ModuleType)
_NAMED = (type, FunctionType, BuiltinFunctionType)
_SENTINELS = {id(getattr(dataclasses, name)): name for name in ("MISSING", "KW_ONLY", "_HAS_DEFAULT_FACTORY")}


class CodeParts:
    """What a pickler, its sibling, does with code."""

    dispatch_table = cloudpickle.Pickler.dispatch_table

    def start(self) -> None:
        """Begin a stream."""
        self.code: set[str] = set()
        """The classes, functions and modules that it names, as `name_of_code` gives them."""
        self.packages: set[str] = set()
        """Top-level packages that the objects and functions in it are of."""

    def id_of(self, kind: type) -> str:
        """By what a class is to be known when it is loaded."""
        return ""

    def reducer_override(self, value: Any) -> Any:
        """Say how code is pickled; leave the rest to others."""
        home = value if isinstance(value, _NAMED) else type(value)
        self.packages.add(str(home.__module__).partition(".")[0])
        if isinstance(value, _CODE):
            self.code.update(name_of_code(value))
        if isinstance(value, type):
            return self._reduced_class(value)
        if isinstance(value, FunctionType):
            return NotImplemented if leads_to(value) else self._reduced_function(value)
        if isinstance(value, CodeType):
            return parts._code_reduce(_placeless(value))
        if type(value) is cached_property:
            return cached_property, (value.func,), {"attrname": value.attrname}  # Older ones hold a lock, too.
        if isinstance(value, WeakSet):
            return WeakSet, (sorted(value, key=_place),)
        if isinstance(value, TypeVar) and parts._lookup_module_and_qualname(value, value.__name__) is None:
            return parts._make_typevar, (*parts._decompose_typevar(value)[:-1], None)
        if type(value).__module__ == _DECORATORS and hasattr(value, "cls_ref"):
            make, arguments, (attributes, slots), *_ = value.__reduce_ex__(5)
            return make, arguments, (attributes, {**slots, "cls_ref": slots["cls_ref"].partition(":")[0]})
        return _SENTINELS.get(id(value), NotImplemented)

    def _reduced_class(self, kind: type) -> Any:
        if kind.__module__ == "builtins" or leads_to(kind):  # of which some, as that of None, have no name
            return parts._class_reduce(kind)
        make, arguments, (state, slots), *_ = parts._dynamic_class_reduce(kind)
        *named, _, extra = arguments
        place = {"__qualname__": kind.__qualname__} if _is_nested(kind) else {}
        made = (*(_lasting_argument(one, place) for one in named), self.id_of(kind), extra)
        return make, made, (_lasting(kind, state), slots), None, None, parts._class_setstate

    def _reduced_function(self, function: FunctionType) -> Any:
        space = function.__globals__
        # A dict each: which functions share theirs depends on what was saved and loaded together before.
        found = {name: _lasting_name(space[name]) for name in ("__package__", "__name__") if name in space}
        cells = None if function.__closure__ is None else tuple(parts._make_empty_cell() for _ in function.__closure__)
        state, slots = parts._function_getstate(function)
        slots["__module__"] = _lasting_name(slots["__module__"])
        if cells is not None:
            slots["__closure__"] = tuple(map(_unshared, function.__closure__ or ()))
        made = (function.__code__, found, None, None, cells)
        return parts._make_function, made, (state, slots), None, None, parts._function_setstate


def leads_to(code: Any) -> bool:
    """Whether the name of a class or function leads to it in every process that has its module."""
    return code.__module__ not in NOT_BY_NAME and bool(parts._should_pickle_by_reference(code))


def _lasting(kind: type, state: dict[str, Any]) -> dict[str, Any]:
    """Of what is in a class, that by which it is defined."""
    kept = {name: value for name, value in state.items() if name not in _NOTED and not _is_inherited(kind, name, value)}
    if not kept.get("__annotations__", True):
        del kept["__annotations__"]  # Whoever asked for them made them.
    for name, place in (("_abc_impl", _place), ("__static_attributes__", str)):
        if name in kept:
            kept[name] = type(kept[name])(sorted(kept[name], key=place))
    return kept


def _is_inherited(kind: type, name: str, value: object) -> bool:
    """Whether a class has of its base what is equal: cloudpickle leaves out what is the same object alone."""
    if type(value) not in _ATOMS:
        return False
    found = next((vars(base)[name] for base in kind.__mro__[1:] if name in vars(base)), None)
    return type(found) is type(value) and found == value


def _lasting_name(module: Any) -> Any:
    return "__main__" if module == "__mp_main__" else module  # as `type_name` has it


def _is_nested(kind: type) -> bool:
    """Whether a class stands in another, where it is found by both names."""
    return kind.__qualname__ != kind.__name__ and "<locals>" not in kind.__qualname__


def _lasting_argument(argument: Any, place: dict[str, str]) -> Any:
    if isinstance(argument, dict) and "__module__" in argument:
        return {**argument, "__module__": _lasting_name(argument["__module__"]), **place}
    return _lasting_name(argument) if isinstance(argument, str) else argument


def _unshared(cell: CellType) -> CellType:
    """A cell of the same content; each function gets cells of its own when it is made again."""
    try:
        return CellType(cell.cell_contents)
    except ValueError:
        return CellType()


def _place(kind: Any) -> str:
    return type_name(kind if isinstance(kind, type) else type(kind))


def _placeless(code: CodeType) -> CodeType:
    """The same code, all of it in the first line of no file."""
    constants = tuple(_placeless(one) if isinstance(one, CodeType) else one for one in code.co_consts)
    if code.co_name == "__hash__" and code.co_filename.startswith("<attrs generated"):
        constants = tuple(0 if type(one) is int else one for one in constants)  # It begins with the hash of a text.
    lines = _one_line(len(code.co_code) // 2)
    return code.replace(co_consts=constants, co_filename="<saved>", co_firstlineno=1, co_linetable=lines)


def _one_line(units: int) -> bytes:
    """The table of lines of code that is all in one: entries without columns, each of up to eight units.

    Format: CPython, Objects/locations.md, "no column info".
    """
    full, rest = divmod(units, 8)
    lengths = [8] * full + [rest] * (rest > 0)
    return b"".join(bytes((0x80 | 13 << 3 | length - 1, 0)) for length in lengths)
