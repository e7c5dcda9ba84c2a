"""Exhibits: kept visualizations on a page, whoever made them.

No script is written or let run, no text is taken for markup, nothing is fetched: pictures are images, in which browsers
run nothing, and markup is in a frame without any right.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..materializers.markup import Markup, element, escaped, joined, shortened
from ..materializers.pages import fragment, page, table
from .frames import frame
from .markdown import markdown

_IMAGES = frozenset(("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml", "image/bmp", "image/avif"))
_TEXT_MAX_CHARACTERS = 200_000
_TREE_MAX_NODES = 2_000
_VALUE_MAX_CHARACTERS = 2_000
_STYLE = element(
    "style",
    Markup(
        ".lineal iframe{width:100%;border:1px solid rgba(128,128,128,.25);border-radius:4px;resize:vertical}"
        ".lineal details,.lineal details>div{margin-left:1.1em}"
        ".lineal .tree{font:12px/1.5 ui-monospace,monospace;overflow-wrap:anywhere}"
        ".lineal .problem{background:rgba(219,90,86,.15);padding:.4em .7em;border-radius:4px;overflow-wrap:anywhere}"
        ".lineal pre{max-height:40em;overflow:auto}"
        ".lineal blockquote{margin:.5em 0;padding-left:1em;border-left:3px solid rgba(128,128,128,.4)}"
    ),
)


class Exhibit(NamedTuple):
    """One visualization, to be put on a page."""

    name: str
    media_type: str
    content: bytes | None
    """None where it is gone."""


class Exhibition(NamedTuple):
    """What is on one page."""

    exhibits: Iterable[Exhibit]
    problems: Iterable[str] = ()
    """Why some are missing."""
    title: str = ""
    facts: Iterable[tuple[str, str]] = ()
    """What is said of the value, by label."""
    tables: Iterable[Markup] = ()
    """What is said of the parts of the value."""

    def fragment(self) -> Markup:
        """It as a piece of a page, as a notebook shows it."""
        return fragment(*self._body())

    def page(self) -> str:
        """It as a whole document, which needs nothing else."""
        return page(self.title, *self._body())

    def _body(self) -> Iterator[Markup]:
        yield _STYLE
        if self.title:
            yield element("h1", escaped(self.title))
        facts = list(self.facts)
        if facts:
            yield table(("", ""), facts)
        yield from self.tables
        for problem in self.problems:
            yield _problem(problem)
        for one in self.exhibits:
            yield element("h2", escaped(f"{one.name} "), element("small", escaped(one.media_type), class_="m"))
            yield _shown(one)


def _problem(text: str) -> Markup:
    return element("p", escaped(text), class_="problem")


def _shown(one: Exhibit) -> Markup:
    kind = one.media_type.partition(";")[0].strip()
    if one.content is None:
        return _problem("Its bytes are gone.")
    if kind in _IMAGES:
        data = base64.b64encode(one.content).decode("ascii")
        return element("img", alt=one.name, src=f"data:{kind};base64,{data}")
    if not kind.startswith("text/") and not kind.endswith(("json", "xml")):
        return element("pre", escaped(f"{len(one.content):,} bytes"))
    text = one.content.decode("utf-8", "replace")
    if kind == "text/html":
        return frame(text, one.name)
    if kind == "text/markdown":
        return joined(markdown(text[:_TEXT_MAX_CHARACTERS]), _rest(text))
    return _json(text) if kind.endswith("json") else _plain(text)


def _plain(text: str) -> Markup:
    return joined(element("pre", escaped(text[:_TEXT_MAX_CHARACTERS])), _rest(text))


def _rest(text: str) -> Markup | None:
    left = len(text) - _TEXT_MAX_CHARACTERS
    return element("p", escaped(f"… and {left:,} more characters")) if left > 0 else None


def _json(text: str) -> Markup:
    try:
        value = json.loads(text)
        return element("div", *_tree(None, value, 0, [_TREE_MAX_NODES]), class_="tree")
    except (ValueError, RecursionError):
        return _plain(text)


def _tree(label: str | None, value: Any, depth: int, left: list[int]) -> Iterator[Markup]:
    """A value under its label; ``left`` counts down how many more there may be on the page."""
    left[0] -= 1
    if left[0] <= 0:
        if left[0] == 0:
            yield element("div", escaped("… and more"), class_="m")
        return
    name = None if label is None else element("b", escaped(f"{shortened(label, _VALUE_MAX_CHARACTERS)}: "))
    if not isinstance(value, dict | list) or not value:
        text = json.dumps(value, ensure_ascii=False)
        yield element("div", name, escaped(shortened(text, _VALUE_MAX_CHARACTERS)))
        return
    items = value.items() if isinstance(value, dict) else enumerate(value)
    count = f"{len(value):,} {'keys' if isinstance(value, dict) else 'items'}"
    inside: list[Markup] = []
    for one, item in items:
        if left[0] <= 0:
            break
        inside += _tree(str(one), item, depth + 1, left)
    summary = element("summary", name, element("span", escaped(count), class_="m"))
    yield element("details", summary, element("div", *inside), open="" if depth < 2 else None)
