"""Artifacts and their versions by what is known of them, read as far as they are used."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from ..cas.digest import Digest
from ..events.projections import Artifacts
from ..events.rows import key
from .asking import version_fields
from .deletion import has_deletions, present
from .labels import tagged
from .reader import Reader
from .views import ArtifactVersionView, ArtifactView
from .where import condition


def artifacts_found(reader: Reader, like: str | None, tag: str | None) -> list[ArtifactView]:
    """The artifacts whose names are like a pattern, and that have a tag; by name."""
    names = {row[0] for _, row in reader.rows(Artifacts.name).history(key("a"))}
    if like is not None:
        names = {name for name in names if fnmatchcase(name, like)}
    if tag is not None:
        names &= {subject.name for subject in tagged(reader, tag, "artifact")}
    artifacts = [ArtifactView(reader, name) for name in sorted(names)]
    return [one for one in artifacts if one.versions] if has_deletions(reader) else artifacts


def version_count(artifact: ArtifactView) -> int:
    """How many versions of an artifact there are. Cost: a lookup; where anything ever was deleted, one for each."""
    if has_deletions(artifact._reader):
        return len(artifact.versions)
    return artifact.latest.version  # Without deletions, and so renaming, numbers have no gaps.


def versions_found(
    reader: Reader, artifact: str | None, *, after: int, upto: int | None, tag: str | None, where: str | None
) -> Iterator[ArtifactVersionView]:
    """The versions of an artifact, newest first, or of all, artifact by artifact; of these, those that are wanted."""
    names = [artifact] if artifact is not None else [one.name for one in artifacts_found(reader, None, None)]
    found = present(reader, (version for name in names for version in _of(reader, name, after, upto)))
    if tag is not None:
        having = {(subject.name, subject.id) for subject in tagged(reader, tag, "version", artifact)}
        found = (version for version in found if (version.name, version.content) in having)
    return found if where is None else filter(condition(where, version_fields(reader)), found)


def _of(reader: Reader, name: str, after: int, upto: int | None) -> Iterator[ArtifactVersionView]:
    ends = [end for end in (reader.upto, upto) if end is not None]
    rows = reader.store.rows(Artifacts.name, min(ends, default=None)).history(key("v", name), newest_first=True)
    for seq, row in rows:
        if seq <= after:
            return
        yield ArtifactVersionView(reader, name, Digest(row[1]))
