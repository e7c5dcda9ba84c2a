"""Metadata: what people and programs have noted of subjects, key by key.

Tables: ``m subject key`` → ``[key, value]``, or ``[key]`` once it was taken away;
``k key subject`` → the subject, which has the key or once had it.
"""

from __future__ import annotations

from typing import Any

from ..catalogue import Annotated, AnnotationsRemoved
from ..codec import Recorded
from ..rows import RowWriter, framed, key
from .base import Projection
from .subjects import subject_key


class Metadata(Projection):
    """The fold."""

    name = "metadata"
    version = 2
    events = (Annotated, AnnotationsRemoved)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        fields = recorded.fields
        if recorded.type == Annotated.TYPE:
            for name, value in fields.values.items():
                self._note(rows, fields.subject, name, [name, value])
        else:
            for name in fields.keys:
                self._note(rows, fields.subject, name, [name])

    def _note(self, rows: RowWriter, subject: Any, name: str, row: list[Any]) -> None:
        place = note_key(subject, name)
        before = rows.latest(place)
        had, has = before is not None and len(before) > 1, len(row) > 1
        if had or has:
            rows.add(place, row)
        if before is None and has:
            rows.add(key("k", name) + subject_key(subject), list(subject))


def note_key(subject: Any, name: str | None = None) -> bytes:
    """Where a subject's value of a key is; without one, what the places of all of the subject's begin with."""
    return b"m" + subject_key(subject) + (b"" if name is None else framed(name))
