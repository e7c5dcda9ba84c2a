"""Meaning: which version of an artifact a reference stands for, as of a view."""

from __future__ import annotations

from itertools import islice

from ..cas.digest import DIGEST_BYTES, Digest
from ..errors import ArtifactNotFound, InvalidReference
from ..events.catalogue import Subject
from ..events.projections import Artifacts
from ..events.projections.artifacts import numbered_in, version_key, versions_key
from ..events.rows import key
from .deletion import deletion_of, is_deleted, present
from .labels import aliased, aliases_of, tagged, tags_of
from .reader import Reader
from .references import near, parse_artifact
from .stored import StoredVersion

_NEAR_VERSIONS = 100


def version_meant(reader: Reader, reference: str) -> StoredVersion:
    """The version that ``name``, ``name@latest``, ``name@3``, ``name@{digest prefix}`` or ``name@label`` stands for.

    Raises:
        ArtifactNotFound: There is no such name, version or label; the hint says what there is.
        InvalidReference: The reference can't be read, or its digest prefix fits several.
    """
    parsed = parse_artifact(reference)
    rows = reader.rows(Artifacts.name)
    newest = rows.latest(versions_key(parsed.name))
    if newest is None:
        names = sorted({row[0] for _, row in rows.history(key("a"))})
        raise ArtifactNotFound(f"no artifact is called {parsed.name!r}", hint=near(parsed.name, names))
    if parsed.label is not None:
        return _present(reader, _by_label(reader, parsed.name, parsed.label))
    if parsed.digest_prefix is not None:
        return _by_digest(reader, parsed.name, parsed.digest_prefix)
    if parsed.number is None:
        return _newest(reader, parsed.name, Digest(newest.row[1]))
    numbered = numbered_in(rows, parsed.name, parsed.number)
    if numbered is None:
        raise ArtifactNotFound(
            f"{parsed.name} has no version {parsed.number}", hint=f"Its versions are 1 to {newest.row[0]}."
        )
    return _present(reader, StoredVersion(reader, parsed.name, numbered))


def _present(reader: Reader, version: StoredVersion) -> StoredVersion:
    deletion = deletion_of(reader, version.subject)
    if deletion is not None:
        raise ArtifactNotFound(f"{version} was deleted at event {deletion.seq}", hint=deletion.hint, was_there=True)
    return version


def _newest(reader: Reader, name: str, newest: Digest) -> StoredVersion:
    """The newest version that is not deleted."""
    version = StoredVersion(reader, name, newest)
    deletion = deletion_of(reader, version.subject)
    if deletion is None:
        return version
    listed = reader.rows(Artifacts.name).history(versions_key(name), newest_first=True)
    versions = (StoredVersion(reader, name, Digest(row[1])) for _, row in listed)
    for one in present(reader, versions):
        return one
    raise ArtifactNotFound(
        f"all versions of {name} are deleted, the newest at event {deletion.seq}", hint=deletion.hint
    )


def _by_label(reader: Reader, name: str, label: str) -> StoredVersion:
    content = aliased(reader, name, label)
    if content is not None:
        return StoredVersion(reader, name, content)
    versions = [StoredVersion(reader, name, Digest(subject.id)) for subject in tagged(reader, label, "version", name)]
    if not versions:
        known = [*aliases_of(reader, name)]
        listed = reader.rows(Artifacts.name).history(versions_key(name), newest_first=True)
        for _, row in islice(listed, _NEAR_VERSIONS):
            known += tags_of(reader, StoredVersion(reader, name, Digest(row[1])).subject)
        hint = near(label, dict.fromkeys(known)) if known else "Its versions have numbers; none has a label."
        raise ArtifactNotFound(f"{name} has no version with the alias or tag {label!r}", hint=hint)
    return max(versions, key=lambda version: version.version)


def _by_digest(reader: Reader, name: str, prefix: str) -> StoredVersion:
    found = _contents_with_prefix(reader, name, prefix)
    if len(prefix) < 2 * DIGEST_BYTES:  # Who knows it whole, as from a lineage, may look at it though it was deleted.
        found = [one for one in found if not is_deleted(reader, Subject("version", name, one))]
    if len(found) > 1:
        raise InvalidReference(f"several versions of {name} have digests that begin so", hint="Give more digits.")
    if not found:
        raise ArtifactNotFound(f"{name} has no version {prefix}", hint="List its versions for their digests.")
    return StoredVersion(reader, name, found[0])


def _contents_with_prefix(reader: Reader, name: str, prefix: str) -> list[Digest]:
    begin = version_key(name, bytes.fromhex(prefix[: len(prefix) // 2 * 2]))
    contents = [Digest(place[-DIGEST_BYTES:]) for place in reader.rows(Artifacts.name).keys(begin)]
    return [content for content in contents if str(content).startswith(prefix)]
