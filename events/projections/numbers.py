"""Numbers that another store gave to what was imported from there, for the projections that number.

Table, in each of them: ``w id name`` → the number.
"""

from __future__ import annotations

from ..codec import Recorded
from ..rows import RowWriter, framed


def note_numbers(rows: RowWriter, recorded: Recorded, kind: str) -> None:
    """Note what an import says of things of a kind, which the events after it bring."""
    for numbered, name, id_, number in recorded.fields.numbers:
        if numbered == kind:
            rows.add(_place(name, id_), number)


def next_number(rows: RowWriter, name: str, id_: bytes, newest: int) -> int:
    """The number of what comes after the newest one: one more, or its own from elsewhere where that is larger."""
    wanted: int = rows.latest(_place(name, id_)) or 0
    return max(wanted, newest + 1)


def _place(name: str, id_: bytes) -> bytes:
    return b"w" + id_ + framed(name)
