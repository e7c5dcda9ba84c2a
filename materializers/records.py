"""Records: values of classes that say which fields they have. Those are stored, with the class's name.

Those are dataclasses, classes of attrs, models of pydantic, NamedTuples, and members of enumerations. Where classes may
be imported, the class is found by its name and given its fields, without its ``__init__``. Where they may not, as in a
store that is not trusted, and where the class is gone or has become another, a `Record` stands in for the value.

A class is only taken by its name where that leads to it in every process: not if it is in ``__main__`` or in a
function, nor if it says itself how it is pickled. Those are pickled.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Sequence
from enum import EnumMeta
from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

from ..errors import ManifestCorrupt, Unsupported
from .atoms import Maker
from .exceptions import form_of_exception, make_exception
from .forms import (
    ENUM,
    EXCEPTION,
    FIELDS,
    MODEL,
    NOT_BY_NAME,
    NOTHING,
    STAND_IN,
    TUPLE,
    Find,
    Form,
    Record,
    cached_names,
    class_name,
    contents_of,
    is_findable,
    pickles_plainly,
    stand_in,
)
from .pydantic import form_of_model, make_model

_HEAP_TYPE = 1 << 9
_SCALARS = (bool, int, float, str, bytes)


_forms: WeakKeyDictionary[type, Form | None] = WeakKeyDictionary()


def form_of(kind: type) -> Form | None:
    """The form in which values of this class are records, if they are; what was found once stays."""
    try:
        return _forms[kind]
    except KeyError:
        form = _forms[kind] = _found_form(kind)
        return form


def _found_form(kind: type) -> Form | None:
    if kind is Record:
        return Form(STAND_IN, kind, contents_of)
    if issubclass(kind, BaseException):
        return form_of_exception(kind)
    if kind in copyreg.dispatch_table or not is_findable(kind):
        return None
    if isinstance(kind, EnumMeta):
        return _enum(kind)
    if issubclass(kind, tuple):
        return _named_tuple(kind)
    if not pickles_plainly(kind) or not all(base.__flags__ & _HEAP_TYPE for base in kind.__mro__[:-1]):
        return None
    if any((base.__module__, base.__qualname__) == ("pydantic.main", "BaseModel") for base in kind.__mro__):
        return form_of_model(kind)
    return _with_fields(kind)


def found_class(name: str) -> Form | None:
    """Import the class of this name; give its form, or None where there is none any more. The caller may do so."""
    module, _, path = name.partition(":")
    if module in NOT_BY_NAME or not path:
        return None
    try:
        found: Any = import_module(module)
    except ImportError:
        return None
    except Exception as error:
        raise Unsupported(
            f"the module of {name.replace(':', '.')} can't be imported: {type(error).__name__}: {error}",
            hint=f"Make `import {module}` work, or load with allow_pickle=False.",
        ) from error
    for part in path.split("."):
        found = getattr(found, part, None)
    return form_of(found) if isinstance(found, type) else None


def _enum(kind: Any) -> Form:
    name, members = class_name(kind), kind.__members__

    def fields(value: Any) -> tuple[str, str | None, Any]:
        plain = value._value_ if type(value._value_) in _SCALARS else None
        return name, value._name_ if members.get(value._name_) is value else None, plain

    return Form(ENUM, kind, fields)


def _make_enum(find: Find | None, name: str, member: str | None, value: Any) -> Any:
    form = None if find is None else find(name)
    if form is not None and form.code == ENUM:
        kind: Any = form.kind
        if member is not None and member in kind.__members__:
            return kind.__members__[member]
        try:
            return kind(value)
        except ValueError:
            pass  # A member that is no more.
    return stand_in(name, {"name": member, "value": value}, find)


def _named_tuple(kind: Any) -> Form | None:
    names = getattr(kind, "_fields", None)
    if kind.__mro__[-2] is not tuple or type(names) is not tuple or not hasattr(kind, "_field_defaults"):
        return None
    name = class_name(kind)

    def fields(value: Any) -> tuple[str, dict[str, Any]] | None:
        if len(value) != len(names) or getattr(value, "__dict__", None):
            return None
        return name, dict(zip(names, value, strict=True))

    return Form(TUPLE, kind, fields, names, {one: _giving(value) for one, value in kind._field_defaults.items()})


def _giving(value: Any) -> Callable[[], Any]:
    return lambda: value


def _make_tuple(find: Find | None, name: str, fields: dict[str, Any]) -> Any:
    form = None if find is None else find(name)
    values = form.complete(fields) if form is not None and form.code == TUPLE else None
    if form is None or values is None or len(values) != len(form.names):
        return stand_in(name, fields, find)
    return tuple.__new__(form.kind, [values[one] for one in form.names])


def _with_fields(kind: Any) -> Form | None:
    """The form of a dataclass, or of a class of attrs."""
    defaults: dict[str, Callable[[], Any]] = {}
    if hasattr(kind, "__dataclass_fields__"):
        from dataclasses import MISSING
        from dataclasses import fields as fields_of

        names = [one.name for one in fields_of(kind)]
        for one in fields_of(kind):
            if one.default_factory is not MISSING:
                defaults[one.name] = one.default_factory
            elif one.default is not MISSING and one.init:
                defaults[one.name] = _giving(one.default)
    elif "__attrs_attrs__" in vars(kind):
        names = [one.name for one in kind.__attrs_attrs__]
        for one in kind.__attrs_attrs__:
            factory = getattr(one.default, "factory", None)
            if factory is None and type(one.default).__name__ != "_Nothing":
                defaults[one.name] = _giving(one.default)
            elif factory is not None and not one.default.takes_self:
                defaults[one.name] = factory
    else:
        return None
    form = Form(FIELDS, kind, lambda _: None, names, defaults)
    if not form.slots.keys() <= set(names):
        return None
    form.fields = _field_reader(form, cached_names(kind))
    return form


def _field_reader(form: Form, computed: set[str]) -> Callable[[Any], Sequence[Any] | None]:
    name, names, slots = class_name(form.kind), form.names, form.slots
    known = {*names, *computed}

    def fields(value: Any) -> tuple[str, dict[str, Any]] | None:
        state = getattr(value, "__dict__", NOTHING)
        if not known.issuperset(state):
            return None  # It has attributes beside its fields.
        found = {}
        for one in names:
            if one in state:
                found[one] = state[one]
            elif one in slots:
                try:
                    found[one] = slots[one].__get__(value)
                except AttributeError:
                    continue  # It was never set.
        return name, found

    return fields


def _make_with_fields(find: Find | None, name: str, fields: dict[str, Any]) -> Any:
    form = None if find is None else find(name)
    values = form.complete(fields) if form is not None and form.code == FIELDS else None
    if form is None or values is None:
        return stand_in(name, fields, find)
    made: Any = object.__new__(form.kind)
    for one, value in values.items():
        if one in form.slots:
            form.slots[one].__set__(made, value)
        else:
            made.__dict__[one] = value
    return made


def maker_of(code: int) -> Maker:
    """What makes records of this code. Its first argument finds classes, and is None where none may be imported.

    Raises:
        ManifestCorrupt: There is none.
    """
    if code not in _MAKERS:
        raise ManifestCorrupt(f"a tree holds a mark of unknown code {code}")
    return _MAKERS[code]


_MAKERS: dict[int, Maker] = {
    ENUM: _make_enum,
    TUPLE: _make_tuple,
    FIELDS: _make_with_fields,
    MODEL: make_model,
    EXCEPTION: make_exception,
    STAND_IN: lambda _, name, fields: Record(name, fields),
}
