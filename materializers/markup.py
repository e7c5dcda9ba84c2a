"""HTML and SVG that are safe by construction: text is escaped unless it is markup already. There are never scripts."""

from __future__ import annotations

import re
from html import escape
from typing import NewType

Markup = NewType("Markup", str)
"""Text that may stand in a page as it is."""

_VOID = {"br", "col", "hr", "img", "meta"}
# What XML has no place for, and what turns the direction of the text around it.
_UNSHOWABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def escaped(text: object) -> Markup:
    """Text as it may stand in an element or a quoted attribute; characters that can't be shown are spelled out."""
    return Markup(escape(_UNSHOWABLE.sub(_spelled, str(text))))


def element(tag: str, *children: Markup | None, **attributes: object) -> Markup:
    """An element of HTML or SVG.

    Args:
        tag: Its name.
        children: Markup; use `escaped` for text. Those that are None are left out.
        attributes: Anything that has a `str`, escaped here. An underscore stands for a dash, a last one for nothing;
            numbers are rounded to two digits; those that are None are left out.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escaped(_rounded(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    inside = "".join(child for child in children if child is not None)
    return Markup(f"<{tag}{written}>" if tag in _VOID else f"<{tag}{written}>{inside}</{tag}>")


def joined(*pieces: Markup | None) -> Markup:
    """Markup after markup."""
    return Markup("".join(piece for piece in pieces if piece is not None))


def shortened(text: object, max_characters: int) -> str:
    """Text on one line, cut with an ellipsis where it is longer."""
    line = " ".join(str(text).split())
    return line if len(line) <= max_characters else f"{line[: max_characters - 1]}…"


def _spelled(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"


def _rounded(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
