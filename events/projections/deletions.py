"""Deletions: which runs and artifact versions were deleted, and which of them are back by somebody's word.

Table: ``d subject`` → ``[whether it is deleted, upto, subject]``. Whether something has made a
version again since is not in these rows: that would cost every step a lookup; `Lineage` knows it.
"""

from __future__ import annotations

from typing import Any

from ..catalogue import Deleted, Restored
from ..codec import Recorded
from ..rows import RowWriter
from .base import Projection
from .subjects import subject_key


class Deletions(Projection):
    """The fold."""

    name = "deletions"
    events = (Deleted, Restored)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        is_deleted = recorded.type == Deleted.TYPE
        for subject in recorded.fields.subjects:
            upto = recorded.fields.upto if is_deleted else recorded.seq
            rows.add(deleted_key(subject), [is_deleted, upto, list(subject)])


def deleted_key(subject: Any) -> bytes:
    """Where it stands whether a subject is deleted."""
    return b"d" + subject_key(subject)
