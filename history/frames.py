"""Frames: markup of anybody's in a document of its own within a page, as tall as what is in it, as far as can be told.

A frame without rights can't tell its height, and no script may ask it, so it is estimated from the text.
"""

from __future__ import annotations

from html.parser import HTMLParser

from ..materializers.markup import Markup, element
from ..materializers.pages import POLICY

_MIN_PX, _MAX_PX, _UNKNOWN_PX = 60, 640, 320
_LINE_PX, _ROW_PX, _DRAWING_PX, _AROUND_PX = 21, 29, 8, 30
_ACROSS = 110
"""Characters beside each other in a frame of usual width."""
_CELL_MAX, _CELL_MIN, _BETWEEN_CELLS = 52, 14, 3
_LINES = frozenset(("li", "summary", "br", "p", "h1", "h2", "h3", "h4", "h5", "h6", "caption", "pre"))
_UNSEEN = frozenset(("style", "script", "title", "head", "svg"))
_STYLE = (
    ":root{color-scheme:light dark}body{margin:8px;font:14px/1.45 system-ui,sans-serif;color:#1c1e21;"
    "background:#fff}@media(prefers-color-scheme:dark){body{color:#e4e6e9;background:#16181b}}"
)


def frame(text: str, name: str) -> Markup:
    """Markup in a document of its own: it runs nothing, asks for nothing, and reaches nothing around it."""
    policy = element("meta", http_equiv="Content-Security-Policy", content=POLICY)
    document = f'<!doctype html><meta charset="utf-8">{policy}<style>{_STYLE}</style>{text}'
    return element("iframe", sandbox="", title=name, style=f"height:{height_px(text)}px", srcdoc=document)


def height_px(text: str) -> int:
    """About how tall markup is at first: what is folded up does not count, and long cells have several lines."""
    measured = _Measured()
    measured.feed(text)
    measured.close()
    if not measured.height_px:
        return _UNKNOWN_PX
    return round(min(_MAX_PX, max(_MIN_PX, measured.height_px + _AROUND_PX)))


class _Measured(HTMLParser):
    """Adds up the lines of what is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.height_px = 0.0
        self._folded: list[str] = []
        """What is not seen at first, from outside to inside: closed details, and what shows no text."""
        self._cells: list[int] = []
        """Lengths of the cells of the row that is read."""
        self._has_drawing = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._folded:
            if tag in ("details", *_UNSEEN):
                self._folded.append(tag)
            elif tag == "summary" and self._folded == ["details"]:
                self.height_px += _LINE_PX
            return
        if tag == "svg":
            self._has_drawing = True
        if tag in _UNSEEN or (tag == "details" and "open" not in dict(attrs)):
            self._folded.append(tag)
        elif tag in _LINES:
            self.height_px += _LINE_PX * (1.5 if tag[0] in "hp" else 1)
        elif tag == "tr":
            self._cells, self._has_drawing = [], False
        elif tag in ("td", "th"):
            self._cells.append(0)

    def handle_endtag(self, tag: str) -> None:
        if self._folded:
            if tag in self._folded:
                del self._folded[self._folded.index(tag) :]
        elif tag == "tr":
            self.height_px += self._row_px()

    def handle_data(self, data: str) -> None:
        if self._cells and not self._folded:
            self._cells[-1] += len(data.strip())

    def _row_px(self) -> float:
        longest = max(self._cells, default=0)
        others = sum(self._cells) + _BETWEEN_CELLS * len(self._cells) - longest
        lines = -(-longest // min(_CELL_MAX, max(_CELL_MIN, _ACROSS - others)))
        return _ROW_PX + _LINE_PX * max(0, lines - 1) + (_DRAWING_PX if self._has_drawing else 0)
