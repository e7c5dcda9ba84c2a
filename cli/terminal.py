"""Text for a terminal: tables that fit its width, statuses in colour unless NO_COLOR is set."""

from __future__ import annotations

import os

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from .escape import visible, visible_lines
from .layout import Block, Diff, Fields, Row, Screen, Table, pages

_GAP, _SHORT, _NAME = 2, 10, 24
"""In columns: the space between two, what is short, and how long a name may be that is never folded."""

_STATUS_STYLES = {
    "completed": "green",
    "cached": "cyan",
    "failed": "bold red",
    "running": "yellow",
    "cancelled": "magenta",
    "interrupted": "magenta",
    "skipped": "dim",
}


class TerminalScreen(Screen):
    """Prints sections through rich, which gets finished texts only: nothing in them is read as markup."""

    def __init__(self) -> None:
        has_colour = not os.environ.get("NO_COLOR")
        self._console = Console(
            color_system="auto" if has_colour else None, force_terminal=True, highlight=False, markup=False, emoji=False
        )
        self._width = self._console.width
        self._is_first = True

    def _begin(self, title: str) -> None:
        if not self._is_first:
            self._console.print()
        self._is_first = False
        if title:
            self._console.print(Text(visible(title), style="bold"))

    def _fields(self, fields: Fields) -> None:
        if not fields.pairs:
            return
        self._begin(fields.title)
        grid = RichTable.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for label, value in fields.pairs:
            grid.add_row(Text(visible(label), style="dim"), _cell(label, visible(value)))
        self._console.print(grid)

    def _table(self, table: Table) -> None:
        for number, page in enumerate(pages(table.rows)):
            if number == 0:
                self._begin(table.title)
            safe = [[visible(cell) for cell in row] for row in page]
            self._console.width = max(self._width, _least_width(table.columns, safe))
            self._console.print(_rich_table(table.columns, safe))
            self._console.width = self._width

    def _block(self, block: Block) -> None:
        if block.text:
            self._begin(block.title)
            self._console.print(Text(visible_lines(block.text.rstrip("\n"))), soft_wrap=True)

    def _diff(self, diff: Diff) -> None:
        self._begin(diff.title)
        for line in visible_lines(diff.text).split("\n"):
            self._console.print(Text(line, style=_diff_style(line)), soft_wrap=True)


def _rich_table(columns: Row, rows: list[list[str]]) -> RichTable:
    table = RichTable(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, no_wrap=_stays(place, rows), overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, columns, row))
    return table


def _stays(place: int, rows: list[list[str]]) -> bool:
    """Whether a column is never folded: it has short texts, or names that are best in one piece."""
    longest = max(cell_len(row[place]) for row in rows)
    return longest <= _SHORT or (longest <= _NAME and not any(" " in row[place] for row in rows))


def _least_width(columns: Row, rows: list[list[str]]) -> int:
    """The width below which a table would lose text: on a narrower terminal its lines run over."""
    least = 0
    for place, column in enumerate(columns):
        longest = max(cell_len(column), *(cell_len(row[place]) for row in rows))
        least += _GAP + (longest if _stays(place, rows) else min(longest, _SHORT))
    return least


def _diff_style(line: str) -> str:
    if line.startswith(("+++", "---")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")


def _cell(column: str, text: str) -> Text:
    style = _STATUS_STYLES.get(text.partition(":")[0], "") if column == "status" else ""
    return Text(text, style=style)
