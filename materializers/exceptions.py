"""Exceptions, as records: class, arguments and attributes, notes, cause and context, and the text of the traceback.

A traceback itself holds frames, which can't be kept. Its text is the attribute ``traceback_text`` of what is loaded.
Python's own exceptions come back as what they are, wherever they are loaded; for others, a `StoredException` stands in
where their class may not be imported or is gone.
"""

from __future__ import annotations

import builtins
from types import MethodDescriptorType
from typing import Any

from ..errors import ManifestCorrupt
from .forms import EXCEPTION, Find, Form, class_name, is_findable, warn_of_change

TRACEBACK_TEXT = "traceback_text"
"""The attribute of a loaded exception that has the text of its traceback."""

_TRACEBACK_MAX_CHARACTERS = 64 * 1024
_OWN_STATE = ("name", "path")
"""Attributes that are not in the ``__dict__`` of Python's own exceptions, and are not among their arguments."""


class StoredException(Exception):
    """Stands in for an exception, with its arguments, attributes, cause and context."""

    type_name: str
    """What it stands in for, as ``module:qualified.name``."""


def form_of_exception(kind: type[BaseException]) -> Form | None:
    """The form of an exception's class; None if only pickling knows it."""
    if kind.__module__ != "builtins" and not is_findable(kind):
        return None
    is_plain = all(type(getattr(kind, name)) is MethodDescriptorType for name in ("__reduce__", "__setstate__"))
    has_slots = any(base.__dict__.get("__slots__") for base in kind.__mro__)
    return Form(EXCEPTION, kind, _fields) if is_plain and not has_slots else None


def _fields(value: BaseException) -> tuple[Any, ...] | None:
    reduced: Any = value.__reduce__()
    kind, arguments, *rest = reduced
    if kind is not type(value):
        return None
    state = {name: one for name, one in (rest[0] if rest and rest[0] else {}).items() if name not in ("args", "obj")}
    text = state.pop(TRACEBACK_TEXT, None)
    if value.__traceback__ is not None:
        import traceback

        text = "".join(traceback.format_tb(value.__traceback__))[-_TRACEBACK_MAX_CHARACTERS:]
    # What is raised from something while that is handled has it as both; told twice, long chains would never end.
    context: Any = value.__context__
    if context is not None and context is value.__cause__:
        context = True
    return class_name(kind), arguments, state, value.__cause__, context, value.__suppress_context__, text


def make_exception(
    find: Find | None,
    name: str,
    arguments: tuple[Any, ...],
    state: dict[str, Any],
    cause: Any,
    context: Any,
    is_context_suppressed: bool,
    text: str | None,
) -> Any:
    """An exception again, or what stands in for it."""
    if type(arguments) is not tuple or type(state) is not dict:
        raise ManifestCorrupt("an exception has no arguments")
    made = _made(find, name, arguments)
    if made is None:
        warn_of_change(name, find)
        made = StoredException(*arguments)
        made.type_name = name
    for one, value in state.items():
        if one in _OWN_STATE and hasattr(type(made), one):
            setattr(made, one, value)
        else:
            made.__dict__[one] = value
    made.__cause__ = cause if isinstance(cause, BaseException) else None
    context = cause if context is True else context
    made.__context__ = context if isinstance(context, BaseException) else None
    made.__suppress_context__ = is_context_suppressed
    if text is not None:
        made.__dict__[TRACEBACK_TEXT] = text
    return made


def _made(find: Find | None, name: str, arguments: tuple[Any, ...]) -> BaseException | None:
    module, _, path = name.partition(":")
    if module == "builtins":
        kind = vars(builtins).get(path)
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ManifestCorrupt(f"there is no exception {path!r}")
        return kind(*arguments)
    form = None if find is None else find(name)
    if form is None or form.code != EXCEPTION:
        return None
    # Not its own __init__, which may take other arguments than it passed on.
    made: BaseException = form.kind.__new__(form.kind, *arguments)
    own: Any = next(base for base in form.kind.__mro__ if base.__module__ == "builtins")
    own.__init__(made, *arguments)
    return made
