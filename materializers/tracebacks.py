"""Exceptions: their type and message, notes, what they were raised from, and where, as a page."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

from ..cas.manifest import Plain
from .base import shown
from .exceptions import TRACEBACK_TEXT, StoredException
from .markup import Markup, element, escaped, joined
from .pages import page
from .visualization import Visualization

_CHAIN_MAX = 20
_TEXT_MAX_CHARACTERS = 64 * 1024


def metadata(value: BaseException) -> dict[str, Plain]:
    """Its type and its message."""
    return {"error": _type_of(value), "message": shown(_message(value))}


def visualize(value: BaseException) -> Iterator[Visualization]:
    """A page with the whole chain, the exception itself first."""
    sections, seen = [_section(value, None)], {id(value)}
    one, how = _before(value)
    while one is not None and id(one) not in seen and len(sections) < _CHAIN_MAX:
        seen.add(id(one))
        sections.append(_section(one, how))
        one, how = _before(one)
    yield Visualization("traceback", "text/html", page(_type_of(value), *sections))


def _before(value: BaseException) -> tuple[BaseException | None, str]:
    if value.__cause__ is not None:
        return value.__cause__, "raised from"
    return None if value.__suppress_context__ else value.__context__, "raised while this was handled"


def _section(value: BaseException, how: str | None) -> Markup:
    message, notes = _message(value), getattr(value, "__notes__", ())
    text = getattr(value, TRACEBACK_TEXT, None)
    if value.__traceback__ is not None:
        text = "".join(traceback.format_tb(value.__traceback__))
    group = getattr(value, "exceptions", ())
    return joined(
        None if how is None else element("p", escaped(how), class_="m"),
        element("h2", escaped(_type_of(value))),
        element("pre", escaped(message[:_TEXT_MAX_CHARACTERS])) if message else None,
        *(element("p", escaped(note)) for note in notes),
        element("pre", escaped(str(text)[-_TEXT_MAX_CHARACTERS:])) if text else None,
        element("ul", *(element("li", escaped(f"{_type_of(one)}: {_message(one)}")) for one in group[:_CHAIN_MAX]))
        if isinstance(group, tuple) and group
        else None,
    )


def _type_of(value: BaseException) -> str:
    if isinstance(value, StoredException):
        return value.type_name.replace(":", ".")
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _message(value: Any) -> str:
    return str(value)
