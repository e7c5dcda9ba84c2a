"""Labels: the tags, aliases and annotations that people have put on things, as of a reader's position."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from ..cas.digest import Digest
from ..events.catalogue import Subject
from ..events.projections import Metadata, Names
from ..events.projections.metadata import note_key
from ..events.projections.names import tags_key, version_key
from ..events.rows import Row, RowReader, framed, key
from .deletion import has_deletions, is_deleted
from .metrics import MetricView, metrics_of
from .reader import Reader

SUBJECT_KINDS = ("artifact", "version", "pipeline", "run", "step")
"""The kinds of things that can be labelled."""


class Labelled(ABC):
    """Something that can have tags, annotations and metrics."""

    _reader: Reader

    @property
    @abstractmethod
    def subject(self) -> Subject:
        """It, as events name what they are about."""

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags, sorted."""
        return tags_of(self._reader, self.subject)

    @property
    def annotations(self) -> dict[str, Any]:
        """What was annotated of it, by key; sorted by key."""
        return annotations_of(self._reader, self.subject)

    @property
    def metadata(self) -> dict[str, Any]:
        """What is known of it beside what it is; its annotations."""
        return self.annotations

    @property
    def metrics(self) -> Mapping[str, MetricView]:
        """The metrics that were logged of it, by name; their points are read when asked for."""
        return metrics_of(self._reader, self.subject)


def tags_of(reader: Reader, subject: Subject) -> tuple[str, ...]:
    """The tags of a subject, sorted."""
    found = reader.rows(Names.name).latest(tags_key(subject))
    return () if found is None else tuple(found.row)


def aliases_of(reader: Reader, artifact: str) -> dict[str, Digest]:
    """Where the aliases of an artifact point, by alias, sorted."""
    pairs = [one.row for one in reader.rows(Names.name).newest(key("a", artifact))]
    pointing = {alias: Digest(content) for alias, content in sorted(pairs) if content is not None}
    if not has_deletions(reader):
        return pointing
    return {alias: one for alias, one in pointing.items() if not is_deleted(reader, Subject("version", artifact, one))}


def version_aliases(reader: Reader, artifact: str, content: Digest) -> tuple[str, ...]:
    """The aliases that point to a version, sorted."""
    found = reader.rows(Names.name).latest(version_key(artifact, content))
    return () if found is None else tuple(found.row)


def aliased(reader: Reader, artifact: str, alias: str) -> Digest | None:
    """The content that an alias points to."""
    found = reader.rows(Names.name).latest(key("a", artifact, alias))
    return None if found is None or found.row[1] is None else Digest(found.row[1])


def annotations_of(reader: Reader, subject: Subject) -> dict[str, Any]:
    """What was annotated of a subject, by key, sorted."""
    found = reader.rows(Metadata.name).newest(note_key(subject))
    return dict(sorted((one.row for one in found if len(one.row) > 1), key=lambda row: row[0]))


def tagged(reader: Reader, tag: str, kind: str | None, name: str | None = None) -> Iterator[Subject]:
    """The subjects that have a tag, first tagged first: all, or those of a kind, or of a kind and name."""
    named = b"" if name is None else framed(name)
    found = _rows(reader.rows(Names.name), key("s", tag) + (b"" if kind is None else framed(kind)) + named)
    subjects = (Subject(*subject[:3]) for is_there, subject in found if is_there)
    return (one for one in subjects if not is_deleted(reader, one))


def annotated(reader: Reader, name: str, kind: str | None) -> Iterator[tuple[Subject, Any]]:
    """The subjects that have an annotation, with its value, first annotated first."""
    rows = reader.rows(Metadata.name)
    for row in _rows(rows, key("k", name) + (b"" if kind is None else framed(kind))):
        subject = Subject(*row[:3])
        found = rows.latest(note_key(subject, name))
        if found is not None and len(found.row) > 1 and not is_deleted(reader, subject):
            yield subject, found.row[1]


def _rows(rows: RowReader, prefix: bytes) -> list[Row]:
    """The newest rows of the keys that begin so, in the order of their events."""
    return [one.row for one in sorted(rows.newest(prefix), key=lambda one: one.seq)]


def has_labels(reader: Reader, kind: str) -> bool:
    """Whether anything of a kind has ever had a tag or, where it is artifacts or versions, an alias."""
    rows = reader.rows(Names.name)
    tables = [key("t") + framed(kind), *([key("a")] if kind in ("artifact", "version") else [])]
    return any(rows.keys(table, 1) for table in tables)
