"""Pages of what conditions ask about: a value that one thing is asked for is looked up for its whole page at once.

A page is a snapshot: a condition that names a value twice sees it once. Pages are small at first, as many a list is
read no further than to its beginning.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from ..errors import Invalid
from ..events.rows import Row, Stamped
from .reader import Reader

T = TypeVar("T")

_FIRST_THINGS, _PAGE_THINGS = 16, 1000


class Column(NamedTuple):
    """A value that each of many things has in the rows under a key in which it is named."""

    projection: str
    before: bytes
    """What comes before the thing in the key."""
    after: bytes = b""
    """What comes behind it."""


class Page:
    """Some things with those columns that were asked for."""

    def __init__(self, reader: Reader, names: Sequence[bytes]) -> None:
        """Things by what names them in keys."""
        self.reader = reader
        self._names = names
        self._columns: dict[Column, list[Stamped | None]] = {}

    def column(self, column: Column) -> list[Stamped | None]:
        """The newest rows of a column, in the order of the things."""
        found = self._columns.get(column)
        if found is None:
            _, before, after = column
            rows = self.reader.rows(column.projection)
            found = self._columns[column] = rows.latest_of([before + name + after for name in self._names])
        return found

    def latest(self, column: Column, place: int) -> Row | None:
        """The newest row of a column of the thing at this place."""
        found = self.column(column)[place]
        return None if found is None else found.row


def in_pages(things: Iterable[T]) -> Iterator[list[T]]:
    """So many things as are to be looked up together."""
    rest, page_things = iter(things), _FIRST_THINGS
    while page := list(islice(rest, page_things)):
        yield page
        page_things = min(4 * page_things, _PAGE_THINGS)


def part_of(things: Iterator[T], offset: int, limit: int | None) -> Iterator[T]:
    """Of these things so many, without so many of the first. Raises `Invalid` where one is no count."""
    for count in (offset, 0 if limit is None else limit):
        if not isinstance(count, int) or count < 0:
            raise Invalid(f"{count!r} is no count", hint="Give a whole number, from 0 on.")
    stop = None if limit is None else min(offset + limit, sys.maxsize)
    return islice(things, min(offset, sys.maxsize), stop)
