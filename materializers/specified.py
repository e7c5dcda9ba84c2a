"""Charts that are a specification for somebody's script: as tables of what they show, and the specification as JSON.

Where no script may run, and no browser is there, that is what can be shown of them.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .base import shown
from .markup import Markup, element, escaped
from .pages import Cell, page, table
from .visualization import Visualization

_ROWS_MAX = 50
_COLUMNS_MAX = 30
_JSON_MAX_CHARACTERS = 200_000

Columns = Mapping[str, Sequence[Any]]


def tables(title: str, found: Sequence[tuple[str, Columns]], note: str = "") -> Iterator[Visualization]:
    """A page with a table for each of what the chart shows: its name, and its columns; under what is noted of it."""
    if found:
        noted = element("p", escaped(note), class_="m") if note else None
        body = (_table(name, columns) for name, columns in found)
        yield Visualization("data", "text/html", page(title, noted, *body))


def specification(value: Any) -> Iterator[Visualization]:
    """The specification, if it is not too long to be read."""
    text = json.dumps(value, ensure_ascii=False, indent=1, default=_plain)
    if len(text) <= _JSON_MAX_CHARACTERS:
        yield Visualization("specification", "application/json", text)


def _table(name: str, columns: Columns) -> Markup:
    names = list(columns)[:_COLUMNS_MAX]
    length = max((len(columns[one]) for one in names), default=0)
    rows = [[_cell(columns[one], at) for one in names] for at in range(min(length, _ROWS_MAX))]
    rest = f", the first {len(rows)} of {length:,} rows" if length > len(rows) else ""
    if not names:
        return element("p", escaped(name))
    return table([shown(one) for one in names], rows, caption=f"{name}{rest}")


def _cell(column: Sequence[Any], at: int) -> Cell:
    value: Any = column[at] if at < len(column) else None
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    return value if value is None or isinstance(value, (int, float)) else shown(value)


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return value.tolist() if hasattr(value, "tolist") else str(value)
