"""Where results go: JSON, plain aligned text in a pipe, or tables on a terminal; one call for all three.

A verb makes records, which are what ``--json`` prints; the text is made from the same records, so the two agree.
"""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from .layout import Row, Screen, Section, Table
from .plain import PlainScreen, print_columns

R = TypeVar("R", bound=Mapping[str, Any])


class Output(Protocol):
    """Takes the results of a verb."""

    def listing(self, records: Iterable[R], columns: Row, row: Callable[[R], Row]) -> None:
        """Give out many things of one kind, as they come."""

    def live(self, batches: Iterable[Iterable[R]], columns: Row, row: Callable[[R], Row]) -> None:
        """Give out many things of one kind, each batch at once."""

    def document(self, record: R, sections: Callable[[R], Iterable[Section]]) -> None:
        """Give out one thing."""


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


class TextOutput:
    """Text on a screen."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def listing(self, records: Iterable[R], columns: Row, row: Callable[[R], Row]) -> None:
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
        for section in sections(record):
            self._screen.show(section)


def output_for(*, is_json: bool) -> Output:
    """The output that suits stdout: a terminal that can do more than print lines gets tables."""
    if is_json:
        return JsonOutput()
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown"):
        from .terminal import TerminalScreen

        return TextOutput(TerminalScreen())
    return TextOutput(PlainScreen())


def stdout_is_gone() -> bool:
    """Whether nobody reads from the pipe that stdout is; found out without writing to it."""
    try:
        waiting = select.poll()
        waiting.register(sys.stdout.fileno(), 0)
        return bool(waiting.poll(0))
    except (OSError, ValueError):  # No file at all, as under a test.
        return False
