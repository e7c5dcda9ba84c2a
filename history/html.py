"""Pieces of what notebooks and pages show of views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ..materializers.markup import Markup, element, escaped, shortened
from ..materializers.pages import Cell, number, table

_COLOURS = {
    "completed": "#3d9f62",
    "cached": "#9b72d8",
    "failed": "#db5a56",
    "running": "#4a8fdc",
    "cancelled": "#d9822b",
    "interrupted": "#d9822b",
}
_IDLE = "#8a8f98"
_VALUE_MAX_CHARACTERS = 160


def heading(kind: str, name: str, status: str | None = None) -> Markup:
    """What it is, its name, and how it went."""
    badge = None if status is None else status_badge(status)
    return element("h1", element("span", escaped(f"{kind} "), class_="m"), escaped(f"{shortened(name, 200)} "), badge)


def status_badge(status: str) -> Markup:
    """How something went, in its colour and in words."""
    colour = _COLOURS.get(status, _IDLE)
    style = f"white-space:nowrap;font-size:13px;font-weight:400;border-left:.5em solid {colour};padding-left:.4em"
    return element("span", escaped(status), style=style)


def facts(rows: Iterable[tuple[str, Markup | None]]) -> Markup:
    """What is known, a line each, as markup; nothing of what is None or empty."""
    lines = [(element("span", escaped(name), class_="m"), value) for name, value in rows if value]
    return table(["", " "], lines, markup=["", " "])


def values(title: str, found: Mapping[str, Any], rows_max: int = 50) -> Markup | None:
    """A table of names and values; nothing where there are none."""
    if not found:
        return None
    shown = list(found.items())[:rows_max]
    rows: list[tuple[Cell, Cell]] = [(shortened(name, 80), value_cell(one)) for name, one in shown]
    if len(found) > rows_max:
        rows.append((f"… and {len(found) - rows_max:,} more", None))
    return table([title, "value"], rows)


def value_cell(value: Any) -> Cell:
    """A value in a table."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    return shortened(value if isinstance(value, str) else repr(value), _VALUE_MAX_CHARACTERS)


def time_text(moment: datetime | None) -> str:
    """A moment to the second, in UTC."""
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def duration_text(duration_s: float | None) -> str:
    """A duration as a person reads it."""
    if duration_s is None:
        return ""
    if duration_s < 1:
        return f"{duration_s * 1000:.3g} ms" if duration_s < 0.9995 else "1 s"
    if duration_s < 60:
        return f"{duration_s:.3g} s"
    minutes, seconds = divmod(round(duration_s), 60)
    return f"{minutes} min {seconds} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"


def bar(value: float, least: float, most: float) -> Markup:
    """A number with a bar behind it, that is full where the number is the largest."""
    share = 0.0 if not most > least else max(0.0, min(1.0, (value - least) / (most - least))) if value == value else 0.0
    tint = f"linear-gradient(90deg,rgba(74,143,220,.35) {share:.0%},transparent {share:.0%})"
    style = f"display:inline-block;min-width:5em;padding:0 .3em;text-align:right;background:{tint}"
    return element("span", escaped(number(value)), style=style)
