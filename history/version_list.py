"""Artifacts and their versions by what is known of them, read as far as they are used."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from ..events.projections import Artifacts
from ..events.projections.artifacts import version_in, versions_key
from ..events.rows import key
from .asked_versions import AskedVersion, Made, asked_versions
from .deletion import has_deletions, is_deleted, once_deleted, present
from .labels import tagged
from .lineage_parts import VersionKey, digest_at
from .reader import Reader
from .views import ArtifactVersionView, ArtifactView


def artifacts_found(reader: Reader, like: str | None, tag: str | None) -> list[ArtifactView]:
    """The artifacts whose names are like a pattern, and that have a tag; by name."""
    names = {row[0] for _, row in reader.rows(Artifacts.name).history(key("a"))}
    if like is not None:
        names = {name for name in names if fnmatchcase(name, like)}
    if tag is not None:
        names &= {subject.name for subject in tagged(reader, tag, "artifact")}
    artifacts = [ArtifactView(reader, name) for name in sorted(names)]
    return [one for one in artifacts if _has_versions(one)] if has_deletions(reader) else artifacts


def _has_versions(artifact: ArtifactView) -> bool:
    """Whether some of its versions are not deleted."""
    versions = versions_found(artifact._reader, artifact.name, after=0, upto=None, tag=None, where=None)
    return next(versions, None) is not None


def version_count(artifact: ArtifactView) -> int:
    """How many versions of an artifact there are. Cost: a lookup; where anything ever was deleted, 1 µs for each."""
    reader, name = artifact._reader, artifact.name
    if not has_deletions(reader):
        return artifact.latest.version  # Without deletions, and so renaming, numbers have no gaps.
    every = sum(1 for _ in _of(reader, name, 0, None))
    return every - sum(is_deleted(reader, one) for one in once_deleted(reader, "version", name))


def every_version(reader: Reader) -> Iterator[AskedVersion]:
    """All versions, artifact by artifact, to ask about; those that are deleted left out."""
    names = (one.name for one in artifacts_found(reader, None, None))
    return present(reader, asked_versions(reader, (made for name in names for made in _of(reader, name, 0, None))))


def versions_found(
    reader: Reader, artifact: str | None, *, after: int, upto: int | None, tag: str | None, where: str | None
) -> Iterator[ArtifactVersionView]:
    """The versions of an artifact, newest first, or of all, artifact by artifact; of these, those that are wanted."""
    if tag is not None:
        made = _tagged(reader, tag, artifact, after, upto)
    else:
        names = [artifact] if artifact is not None else [one.name for one in artifacts_found(reader, None, None)]
        made = (version for name in names for version in _of(reader, name, after, upto))
    if where is None:
        return present(reader, (ArtifactVersionView(reader, *one.key) for one in made))
    from .asking import version_fields
    from .where import condition

    found = filter(condition(where, version_fields()), asked_versions(reader, made))
    return present(reader, (one.view for one in found))


def _of(reader: Reader, name: str, after: int, upto: int | None) -> Iterator[Made]:
    ends = [end for end in (reader.upto, upto) if end is not None]
    rows = reader.store.rows(Artifacts.name, min(ends, default=None)).history(versions_key(name), newest_first=True)
    for seq, (number, content) in rows:
        if seq <= after:
            return
        yield Made(VersionKey(name, digest_at(content)), number, seq)


def _tagged(reader: Reader, tag: str, artifact: str | None, after: int, upto: int | None) -> Iterator[Made]:
    """The versions that have a tag, in the same order."""
    rows = reader.rows(Artifacts.name)
    made: list[Made] = []
    for _, name, content in tagged(reader, tag, "version", artifact):
        found = version_in(rows, name, digest_at(content))
        if found is not None and after < found.seq <= (found.seq if upto is None else upto):
            made.append(Made(VersionKey(name, digest_at(content)), found.row[1], found.seq))
    return iter(sorted(made, key=lambda one: (one.key.name, -one.number)))
