"""Showing: where a page goes, to a notebook or to a file, and what it says of a version."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from ..materializers.base import CODE
from ..materializers.markup import Markup, shortened
from ..materializers.pages import Cell, number, table
from .html import time_text

_VALUE_MAX_CHARACTERS = 300
_FACTS_MAX = 40
_PARTS_MAX = 20


class Described(Protocol):
    """What a page says of a version."""

    @property
    def type(self) -> str:
        """Qualified name of the value's type."""

    @property
    def format(self) -> str:
        """Format id and version."""

    @property
    def size_bytes(self) -> int:
        """Logical size."""

    @property
    def created(self) -> datetime:
        """When it was first made."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What is known of the value."""


def facts_of(version: Described) -> Iterator[tuple[str, str]]:
    """What a version is, and what is known of its value, by label."""
    yield "type", version.type
    yield "format", version.format
    yield "size", f"{version.size_bytes:,} B"
    yield "created", time_text(version.created)
    known = [(name, value) for name, value in version.metadata.items() if name != CODE and not _has_items(value)]
    for name, value in known[:_FACTS_MAX]:
        if value not in ({}, []):
            yield str(name), _short(value)
    if len(known) > _FACTS_MAX:
        yield "", f"… and {len(known) - _FACTS_MAX} more"


def tables_of(version: Described) -> Iterator[Markup]:
    """What is known of parts of its value, as the types of columns and their means: a table for each set of parts."""
    groups: list[dict[str, Mapping[str, Any]]] = []
    for name, value in version.metadata.items():
        if _has_items(value):
            fitting = (one for one in groups if _are_of_the_same(value, next(iter(one.values()))))
            group = next(fitting, None)
            if group is None:
                groups.append(group := {})
            group[name] = value
    for group in groups:
        parts = list(dict.fromkeys(part for value in group.values() for part in value))
        rows = [[shortened(part, 80), *(_cell(one.get(part)) for one in group.values())] for part in parts[:_PARTS_MAX]]
        if len(parts) > _PARTS_MAX:
            rows.append([f"… and {len(parts) - _PARTS_MAX:,} more", *(None for _ in group)])
        yield table(["", *group], rows)


def _has_items(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) > 0


def _are_of_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether what is known of some parts is of those that something else is known of."""
    return one.keys() <= other.keys() or other.keys() <= one.keys()


def _cell(value: Any) -> Cell:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if value is None or is_number else shortened(_short(value), 80)


def _short(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    listed = isinstance(value, list)
    text = ", ".join(map(str, value)) if listed else value if isinstance(value, str) else repr(value)
    return text if len(text) <= _VALUE_MAX_CHARACTERS else f"{text[: _VALUE_MAX_CHARACTERS - 1]}…"


def displayed(shown: object) -> bool:
    """Whether a notebook runs this, and has displayed it."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or not hasattr(shell, "kernel"):
        return False
    sys.modules["IPython.display"].display(shown)
    return True


def written(page: str, name: str, path: str | os.PathLike[str] | None) -> Path:
    """Write a page where it is wanted; or to a new temporary directory, and open it there in the browser."""
    if path is not None:
        place = Path(path)
        place.write_text(page, encoding="utf-8")
        return place
    import tempfile
    import webbrowser

    place = Path(tempfile.mkdtemp(prefix="lineal-")) / f"{re.sub(r'[^A-Za-z0-9@._-]', '_', name)[:100]}.html"
    place.write_text(page, encoding="utf-8")
    webbrowser.open(place.as_uri())
    return place
