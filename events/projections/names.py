"""Names: the tags of subjects, and the aliases of artifacts.

Tables: ``t subject`` → its tags, sorted; ``s tag subject`` → ``[whether it has the tag, subject]``;
``a artifact alias`` → ``[alias, content]``, the content None once it was removed;
``v content artifact`` → the aliases that point to that version, sorted.
"""

from __future__ import annotations

from typing import Any

from ..catalogue import AliasRemoved, AliasSet, Tagged, Untagged
from ..codec import Recorded
from ..rows import RowWriter, framed, key
from .base import Projection
from .subjects import subject_key


class Names(Projection):
    """The fold."""

    name = "names"
    events = (Tagged, Untagged, AliasSet, AliasRemoved)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        fields = recorded.fields
        if recorded.type == AliasSet.TYPE:
            self._point(rows, fields.artifact, fields.alias, fields.content)
        elif recorded.type == AliasRemoved.TYPE:
            self._point(rows, fields.artifact, fields.alias, None)
        else:
            self._tag(rows, fields.subject, fields.tags, recorded.type == Tagged.TYPE)

    def _tag(self, rows: RowWriter, subject: Any, tags: Any, is_added: bool) -> None:
        place = tags_key(subject)
        before = set(rows.latest(place) or ())
        changed = set(tags) - before if is_added else set(tags) & before
        if not changed:
            return
        rows.add(place, sorted(before ^ changed))
        for tag in sorted(changed):
            rows.add(tag_key(subject, tag), [is_added, list(subject)])

    def _point(self, rows: RowWriter, artifact: str, alias: str, content: bytes | None) -> None:
        place = key("a", artifact, alias)
        _, before = rows.latest(place) or (alias, None)
        if before == content:
            return
        rows.add(place, [alias, content])
        if before is not None:
            version = version_key(artifact, before)
            rows.add(version, [one for one in rows.latest(version) or () if one != alias])
        if content is not None:
            version = version_key(artifact, content)
            rows.add(version, sorted({*(rows.latest(version) or ()), alias}))


def tags_key(subject: Any) -> bytes:
    """Where the tags of a subject are."""
    return b"t" + subject_key(subject)


def tag_key(subject: Any, tag: str) -> bytes:
    """Where it is said whether a subject has a tag."""
    return key("s", tag) + subject_key(subject)


def version_key(artifact: str, content: bytes) -> bytes:
    """Where the aliases of a version are."""
    return b"v" + content + framed(artifact)
