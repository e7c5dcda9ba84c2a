"""Markup that others made, with nothing left in it that runs, is fetched or leads away."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

from .markup import Markup

_TEXT_TAGS = "b br caption code details div em h1 h2 h3 h4 h5 h6 hr i label p pre small span strong sub summary sup u"
_LIST_TAGS = "dd dl dt li ol ul"
_TABLE_TAGS = "col colgroup table tbody td tfoot th thead tr"
_TAGS = frozenset(f"{_TEXT_TAGS} {_LIST_TAGS} {_TABLE_TAGS} input style".split(" "))
_ATTRIBUTES = frozenset(
    ("checked", "class", "colspan", "for", "id", "name", "open", "rowspan", "style", "title", "type")
)
_ACTIVE = "button iframe math noscript object script select svg template textarea title video"
_WITH_CONTENT = frozenset(_ACTIVE.split(" "))
"""Tags that go with all that is in them; of others that go, what is in them stays."""
_VOID = frozenset(["br", "col", "hr", "input"])
# A backslash may spell any of them.
_REACHES_OUT = re.compile(r"url\s*\(|@import|expression\s*\(|image-set|\\", re.IGNORECASE)
_RULE_PARTS = re.compile(r"[^{};]*")
_COMMENT = re.compile(r"/\*.*?(\*/|$)", re.DOTALL)


def sanitized(markup: str) -> Markup:
    """The same page without scripts, what calls them, links, and whatever is fetched."""
    kept = _Kept()
    kept.feed(markup)
    kept.close()
    return Markup("".join(kept.pieces))


class _Kept(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._dropped: list[str] = []
        self._is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _WITH_CONTENT:
            self._dropped.append(tag)
        if self._dropped or tag not in _TAGS:
            return
        given = dict(attrs)
        if tag == "input" and given.get("type") != "checkbox":
            return
        kept = "".join(f' {name}="{escape(value or "")}"' for name, value in given.items() if _may_stay(name, value))
        self.pieces.append(f"<{tag}{kept}>")
        self._is_style = tag == "style"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _WITH_CONTENT:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._dropped:
            if tag in self._dropped:
                del self._dropped[self._dropped.index(tag) :]
        elif tag in _TAGS and tag not in _VOID:
            self.pieces.append(f"</{tag}>")
            self._is_style = False

    def handle_data(self, data: str) -> None:
        if self._dropped:
            return
        if self._is_style:
            self.pieces.append(_RULE_PARTS.sub(_harmless, _COMMENT.sub(" ", data).replace("<", "")))
        else:
            self.pieces.append(escape(data, quote=False))


def _harmless(part: re.Match[str]) -> str:
    return "" if _REACHES_OUT.search(part.group()) else part.group()


def _may_stay(name: str, value: str | None) -> bool:
    return name in _ATTRIBUTES and not (name == "style" and _REACHES_OUT.search(value or ""))
