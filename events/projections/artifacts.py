"""Artifacts and their versions: one version for each distinct content under a name, numbered from 1.

Tables: ``a`` → names in order of first appearance; ``v name`` → versions ``[number, content]``, newest last;
``n name number`` → content; ``c content name`` → number; ``w`` as in `numbers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...cas.digest import Digest
from ..catalogue import ArtifactNamed, ArtifactSaved, StepCompleted, StepReused, StoreImported
from ..codec import Recorded
from ..rows import RowReader, RowWriter, Stamped, framed, key
from .base import Projection
from .numbers import next_number, note_numbers

BY_HAND = (ArtifactSaved.TYPE, ArtifactNamed.TYPE)
"""The types of event that give one output, outside of any run."""


class Artifacts(Projection):
    """The fold."""

    name = "artifacts"
    version = 4
    events = (StepCompleted, StepReused, ArtifactSaved, ArtifactNamed, StoreImported)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        if recorded.type == StoreImported.TYPE:
            note_numbers(rows, recorded, "version")
            return
        for output in outputs_of(recorded):
            name, content = output[1], output[2]
            framed_name = framed(name)
            place = b"c" + content + framed_name
            if rows.has(place):
                continue
            versions = b"v" + framed_name
            newest = rows.latest(versions)
            if newest is None:
                rows.mark(b"a", [name])
            number = next_number(rows, name, content, 0 if newest is None else newest[0])
            number = max(number, _number_wanted(recorded))
            rows.add(versions, [number, content])
            rows.mark(b"n" + framed_name + number.to_bytes(4, "big"), content)
            rows.add(place, [name, number])


def _number_wanted(recorded: Recorded) -> int:
    """The number that an event gives to a version; it is given only where it leaves the order as it is."""
    return (recorded.fields.number or 0) if recorded.type == ArtifactNamed.TYPE else 0


def version_in(rows: RowReader, name: str, content: Digest) -> Stamped | None:
    """The row of a content under a name, ``[name, number]``, stamped by the event that made it a version."""
    return rows.latest(key("c", content, name))


def newest_in(rows: RowReader, name: str) -> Digest | None:
    """The content of the newest version under a name; None if there is none."""
    found = rows.latest(key("v", name))
    return None if found is None else Digest(found.row[1])


def names_of(rows: RowReader, content: Digest) -> list[tuple[str, int]]:
    """The names and numbers under which a content is a version, the first to have it first."""
    return [tuple(one.row) for one in sorted(rows.newest(key("c", content)), key=lambda one: one.seq)]


def outputs_of(recorded: Recorded) -> Sequence[Any]:
    """The outputs that an event gives, as they are stored."""
    fields = recorded.fields
    outputs: Sequence[Any] = (fields.output,) if recorded.type in BY_HAND else fields.outputs
    return outputs
