"""Rows of a projection in memory, the newest of each key: for a fold beside a database that may be damaged."""

from __future__ import annotations

from collections.abc import Iterable

from .rows import Row, RowWriter


class NewestRows(RowWriter):
    """Holds what `latest` and `has` are asked for, and nothing of what was before it."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[bytes, Row] = {}

    @property
    def known(self) -> int:
        """How many keys have a row."""
        return len(self._held)

    def at(self, place: bytes) -> RowWriter:
        """Turn to an event; which one it is makes no difference here."""
        return self

    def add(self, row_key: bytes, row: Row) -> None:
        """Put the row in the place of the key's last one."""
        self._held[row_key] = row

    def mark(self, row_key: bytes, row: Row = True) -> None:
        """Nothing: a fold never asks for what it marks."""

    def mark_each(self, row_keys: Iterable[bytes]) -> None:
        """Nothing, likewise."""

    def latest(self, row_key: bytes) -> Row | None:
        """The key's newest row; None if it has none."""
        return self._held.get(row_key)

    def has(self, row_key: bytes) -> bool:
        """Whether the key has a row."""
        return row_key in self._held
