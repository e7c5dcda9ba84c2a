"""Text of others, made safe to show: nothing in it can move the cursor, colour, hide or reverse what is on screen."""

from __future__ import annotations

import re

_INVISIBLE_BEFORE_SPACE = re.compile(r"[^\n\t\x20-\x7e]+")


def visible(text: str) -> str:
    """The text on one line, each character that does not print as its escape: controls, newlines, bidi, surrogates."""
    return text if text.isprintable() else "".join(_escaped(one) for one in text)


def visible_lines(text: str) -> str:
    """As `visible`, with newlines and tabs kept; a carriage return before a newline is part of it."""
    return _INVISIBLE_BEFORE_SPACE.sub(lambda found: visible(found.group()), text.replace("\r\n", "\n"))


def _escaped(one: str) -> str:
    return one if one.isprintable() else one.encode("unicode_escape").decode("ascii")
