"""What text output is made of: sections, and the screens that show them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

PAGE_ROWS = 1000
"""A table is laid out so many rows at a time: it begins to appear at once, and needs bounded memory."""

Row = Sequence[str]


class Fields(NamedTuple):
    """Labels and one-line texts."""

    title: str
    pairs: Sequence[tuple[str, str]]


class Table(NamedTuple):
    """Rows of one-line texts under column names; in a column called status, the words have their colours."""

    title: str
    columns: Sequence[str]
    rows: Iterable[Row]


class Block(NamedTuple):
    """Text of several lines, such as a log."""

    title: str
    text: str


class Diff(NamedTuple):
    """A unified diff; what comes and goes has its colours."""

    title: str
    text: str


Section = Fields | Table | Block | Diff


class Screen(ABC):
    """Shows sections as text on stdout. It escapes what could harm a terminal: callers pass text as it is."""

    def show(self, section: Section) -> None:
        """Show one section, under its title if it has one; nothing if it is empty."""
        match section:
            case Fields():
                self._fields(section)
            case Table():
                self._table(section)
            case Block():
                self._block(section)
            case Diff():
                self._diff(section)

    @abstractmethod
    def _fields(self, fields: Fields) -> None: ...

    @abstractmethod
    def _table(self, table: Table) -> None: ...

    @abstractmethod
    def _block(self, block: Block) -> None: ...

    @abstractmethod
    def _diff(self, diff: Diff) -> None: ...


def pages(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in lists of `PAGE_ROWS`, the last one shorter; none for no rows."""
    remaining = iter(rows)
    while page := list(islice(remaining, PAGE_ROWS)):
        yield page
