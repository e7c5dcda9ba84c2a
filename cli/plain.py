"""Text for pipes, files and simple terminals: columns lined up with spaces, nothing cut, no colours."""

from __future__ import annotations

from .escape import visible, visible_lines
from .layout import Block, Diff, Fields, Row, Screen, Table, pages


class PlainScreen(Screen):
    """Prints sections line by line, with an empty line between them."""

    def __init__(self) -> None:
        self._is_first = True

    def _begin(self, title: str) -> None:
        if not self._is_first:
            print()
        self._is_first = False
        if title:
            print(f"{visible(title)}:")

    def _fields(self, fields: Fields) -> None:
        if fields.pairs:
            self._begin(fields.title)
            print_columns(list(fields.pairs), [0, 0])

    def _table(self, table: Table) -> None:
        widths = [0] * len(table.columns)
        for number, page in enumerate(pages(table.rows)):
            if number == 0:
                self._begin(table.title)
                page.insert(0, [column.upper() for column in table.columns])
            print_columns(page, widths)

    def _block(self, block: Block) -> None:
        if block.text:
            self._begin(block.title)
            print(visible_lines(block.text.rstrip("\n")))

    def _diff(self, diff: Diff) -> None:
        self._block(Block(*diff))


def print_columns(rows: list[Row], widths: list[int]) -> None:
    """Print rows with their cells lined up; the widths only grow, in place."""
    safe = [[visible(cell) for cell in row] for row in rows]
    widths[:] = [max(width, *(len(row[place]) for row in safe)) for place, width in enumerate(widths)]
    for row in safe:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
