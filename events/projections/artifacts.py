"""Artifacts and their versions: one version for each distinct content under a name, numbered from 1.

Tables: ``a`` → names in order of first appearance; ``v name`` has two parts, so that a version's two rows are near each
other: ``… c content`` → ``[name, number]``, and ``… l`` → versions ``[number, content]``, newest last; ``w`` as in
`numbers`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from ...cas.digest import Digest
from ..catalogue import ArtifactNamed, ArtifactSaved, StepCompleted, StepReused, StoreImported
from ..codec import Recorded
from ..rows import RowReader, RowWriter, Stamped, framed
from .base import Projection
from .numbers import next_number, note_numbers

BY_HAND = (ArtifactSaved.TYPE, ArtifactNamed.TYPE)
"""The types of event that give one output, outside of any run."""


class Artifacts(Projection):
    """The fold."""

    name = "artifacts"
    version = 5
    events = (StepCompleted, StepReused, ArtifactSaved, ArtifactNamed, StoreImported)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        if recorded.type == StoreImported.TYPE:
            note_numbers(rows, recorded, "version")
            return
        for output in outputs_of(recorded):
            name, content = output[1], output[2]
            place = version_key(name, content)
            if rows.has(place):
                continue
            versions = versions_key(name)
            newest = rows.latest(versions)
            if newest is None:
                rows.mark(b"a", [name])
            number = next_number(rows, name, content, 0 if newest is None else newest[0])
            number = max(number, _number_wanted(recorded))
            rows.add(versions, [number, content])
            rows.add(place, [name, number])


def _number_wanted(recorded: Recorded) -> int:
    """The number that an event gives to a version; it is given only where it leaves the order as it is."""
    return (recorded.fields.number or 0) if recorded.type == ArtifactNamed.TYPE else 0


def version_key(name: str, content: bytes) -> bytes:
    """Where it is told that a content is a version under a name."""
    return b"v" + framed(name) + b"c" + content


def versions_key(name: str) -> bytes:
    """Where the versions under a name are listed."""
    return b"v" + framed(name) + b"l"


def version_in(rows: RowReader, name: str, content: Digest) -> Stamped | None:
    """The row of a content under a name, ``[name, number]``, stamped by the event that made it a version."""
    return rows.latest(version_key(name, content))


def newest_in(rows: RowReader, name: str) -> Digest | None:
    """The content of the newest version under a name; None if there is none."""
    found = rows.latest(versions_key(name))
    return None if found is None else Digest(found.row[1])


def numbered_in(rows: RowReader, name: str, number: int) -> Digest | None:
    """The content of the version of a number under a name; None if there is none.

    Cost: some 5 µs for each halving of the stretch of the log in which the name has got its versions.
    """
    listed = versions_key(name)
    newest = rows.latest(listed)
    first_seq, last_seq = 1, 0 if newest is None else newest.seq
    while first_seq <= last_seq:
        middle_seq = (first_seq + last_seq) // 2
        found = rows.latest_upto(listed, middle_seq)
        if found is None or found.row[0] < number:  # Numbers rise with positions.
            first_seq = middle_seq + 1
        elif found.row[0] > number:
            last_seq = found.seq - 1
        else:
            return Digest(found.row[1])
    # The event there has given a larger one last, and may have given others before.
    [made] = rows.under([listed + first_seq.to_bytes(8, "big")], sys.maxsize)
    return next((Digest(row[1]) for _, row in made if row[0] == number), None)


def outputs_of(recorded: Recorded) -> Sequence[Any]:
    """The outputs that an event gives, as they are stored."""
    fields = recorded.fields
    outputs: Sequence[Any] = (fields.output,) if recorded.type in BY_HAND else fields.outputs
    return outputs
