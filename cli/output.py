"""Where results go: JSON, plain aligned text in a pipe, or tables on a terminal; one call for all three.

A verb makes records, which are what ``--json`` prints; the text is made from the same records, so the two agree.
"""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .escape import visible_lines
from .layout import Row, Screen, Section, Table
from .plain import PlainScreen, print_columns

if TYPE_CHECKING:
    from .paging import Pager

R = TypeVar("R", bound=Mapping[str, Any])


class Output(Protocol):
    """Takes the results of a verb."""

    def listing(self, records: Iterable[R], columns: Row, row: Callable[[R], Row]) -> None:
        """Give out many things of one kind, as they come."""

    def live(self, batches: Iterable[Iterable[R]], columns: Row, row: Callable[[R], Row]) -> None:
        """Give out many things of one kind, each batch at once."""

    def document(self, record: R, sections: Callable[[R], Iterable[Section]]) -> None:
        """Give out one thing."""

    def text(self, text: str) -> None:
        """Give out something drawn, which is text whatever the output."""


class JsonOutput:
    """One JSON object a line, in ASCII, so that no character in it can do anything to a terminal."""

    def listing(self, records: Iterable[R], columns: Row, row: Callable[[R], Row]) -> None:
        for record in records:
            print(json.dumps(record, allow_nan=False))

    def live(self, batches: Iterable[Iterable[R]], columns: Row, row: Callable[[R], Row]) -> None:
        for batch in batches:
            self.listing(batch, columns, row)
            sys.stdout.flush()

    def document(self, record: R, sections: Callable[[R], Iterable[Section]]) -> None:
        print(json.dumps(record, allow_nan=False))

    def text(self, text: str) -> None:
        print(visible_lines(text))


class TextOutput:
    """Text on a screen."""

    def __init__(self, screen: Screen, pager: Pager | None = None) -> None:
        self._screen = screen
        self._pager = pager

    def _page(self) -> None:
        if self._pager is not None:
            self._pager.start()

    def listing(self, records: Iterable[R], columns: Row, row: Callable[[R], Row]) -> None:
        self._page()
        self._screen.show(Table("", columns, map(row, records)))

    def live(self, batches: Iterable[Iterable[R]], columns: Row, row: Callable[[R], Row]) -> None:
        rows: list[Row] = [[column.upper() for column in columns]]
        widths = [0] * len(columns)
        for batch in batches:
            rows += map(row, batch)
            print_columns(rows, widths)
            sys.stdout.flush()
            rows.clear()

    def document(self, record: R, sections: Callable[[R], Iterable[Section]]) -> None:
        self._page()
        for section in sections(record):
            self._screen.show(section)

    def text(self, text: str) -> None:
        self._page()
        print(visible_lines(text))


def output_for(*, is_json: bool, pager: Pager | None) -> Output:
    """The output that suits stdout: a terminal that can do more than print lines gets tables, through a pager if any.

    What does more than print lines on it is told that it is a terminal, as it can't see it through the pager.
    """
    if is_json:
        return JsonOutput()
    if is_terminal():
        from .terminal import TerminalScreen

        return TextOutput(TerminalScreen(), pager)
    return TextOutput(PlainScreen())


def is_terminal() -> bool:
    """Whether stdout is a terminal that can do more than print lines."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")


def stdout_is_gone() -> bool:
    """Whether nobody reads from the pipe that stdout is; found out without writing to it."""
    try:
        waiting = select.poll()
        waiting.register(sys.stdout.fileno(), 0)
        return bool(waiting.poll(0))
    except (OSError, ValueError):  # No file at all, as under a test.
        return False
