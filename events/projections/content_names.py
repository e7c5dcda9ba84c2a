"""Content names: the artifacts that have a content among their versions.

Tables: ``c content name`` → the name; ``h content name`` → ``[name, source]`` where it was given by hand to what had
another. The row's event is the one that made the content a version there.
"""

from __future__ import annotations

from ...cas.digest import Digest
from ...errors import LogCorrupt
from ..catalogue import ArtifactNamed, ArtifactSaved, StepCompleted, StepReused
from ..codec import Recorded
from ..rows import RowReader, RowWriter, framed, key
from .artifacts import outputs_of, version_in
from .base import Projection


class ContentNames(Projection):
    """The fold.

    It is kept behind: in the order of contents each row falls on a page of its own, of which a step would dirty one.
    """

    name = "content_names"
    lag_max = 10_000
    events = (StepCompleted, StepReused, ArtifactSaved, ArtifactNamed)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        for output in outputs_of(recorded):
            place = b"c" + output[2] + framed(output[1])
            if rows.has(place):
                continue
            rows.add(place, output[1])
            if recorded.type == ArtifactNamed.TYPE:
                rows.mark(b"h" + place[1:], [output[1], recorded.fields.source])


def names_of(rows: RowReader, artifacts: RowReader, content: Digest) -> list[tuple[str, int]]:
    """The names and numbers under which a content is a version, the first to have it first.

    ``artifacts`` are the rows of `Artifacts` as of the same position, or a later one.
    """
    names: list[str] = [one.row for one in rows.newest(key("c", content))]
    found = [version_in(artifacts, name, content) for name in names]
    versions = [one for one in found if one is not None]
    if len(versions) < len(found):
        raise LogCorrupt("an index names a version that another does not have", hint="Run `lineal rebuild`.")
    return [tuple(one.row) for one in sorted(versions, key=lambda one: one.seq)]
