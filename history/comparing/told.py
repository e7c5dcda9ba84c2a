"""How a comparison is told: parts with a table or a text each, as plain text and as a page."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, dataclass_transform

from ...immutable import Immutable, Kind
from ...materializers.markup import Markup, element, escaped, joined
from ...materializers.pages import figures, fragment, page, table

NOTHING = "-"
"""Stands where one side has nothing."""


class Picture(NamedTuple):
    """An image beside its other version."""

    title: str
    media_type: str
    data_base64: str


class Part(NamedTuple):
    """One part of what is told; what is empty of it is not shown."""

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    diff: str = ""
    """A unified diff."""
    pictures: tuple[Picture, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be shown."""
        return not (self.rows or self.text or self.diff or self.pictures)


@dataclass_transform(frozen_default=True)
class _ToldKind(Kind, ABCMeta):
    """Makes a type of result."""


class Told(Immutable, metaclass=_ToldKind):
    """A result that tells itself: printed or shown as text, in a notebook as HTML, `to_dict` for programs.

    `to_html` makes a page of it.
    """

    @property
    @abstractmethod
    def title(self) -> str:
        """It in one line."""

    @abstractmethod
    def parts(self) -> Iterator[Part]:
        """It in full, part by part."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """It in plain values, as JSON takes them."""

    def __repr__(self) -> str:
        return "\n".join([self.title, *(line for part in self.parts() for line in _lines(part))])

    def to_html(self) -> str:
        """A page of its own, without scripts, that needs nothing else."""
        return page(self.title, self._markup())

    def _repr_html_(self) -> str:
        return fragment(self._markup())

    def _markup(self) -> Markup:
        shown = (_shown(part) for part in self.parts() if not part.is_empty)
        return joined(element("h1", escaped(self.title)), *shown)


def _lines(part: Part) -> Iterator[str]:
    if part.is_empty:
        return
    yield f"{part.title}:"
    for line in _aligned([part.columns, *part.rows] if part.rows else []):
        yield f"  {line}"
    for text in (part.text, part.diff):
        yield from (f"  {line}" for line in text.splitlines())
    yield from (f"  [image {picture.title}]" for picture in part.pictures)


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    rows = [tuple(" ".join(cell.split()) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _shown(part: Part) -> Markup:
    rows = [list(row) for row in part.rows]
    return element(
        "section",
        element("h2", escaped(part.title)),
        table(part.columns, rows) if rows else None,
        element("pre", escaped(part.text)) if part.text else None,
        _coloured(part.diff) if part.diff else None,
        figures(*map(_pictured, part.pictures)) if part.pictures else None,
    )


_COLOURS = {"+": "rgba(61,159,98,.22)", "-": "rgba(219,90,86,.22)", "@": "rgba(74,143,220,.18)"}


def _coloured(diff: str) -> Markup:
    return element("pre", *map(_coloured_line, diff.splitlines()))


def _coloured_line(line: str) -> Markup:
    is_title = line.startswith(("--- ", "+++ "))
    colour = "transparent" if is_title else _COLOURS.get(line[:1], "transparent")
    return element("span", escaped(line or " "), style=f"display:block;background:{colour}")


def _pictured(picture: Picture) -> Markup:
    source = f"data:{picture.media_type};base64,{picture.data_base64}"
    image = element("img", src=source, alt=picture.title)
    return element("figure", image, element("figcaption", escaped(picture.title)), style="margin:0")
