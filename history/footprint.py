"""What artifacts take of the disk, and how much of that nothing else shares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from ..cas.blob import walk
from ..cas.digest import Digest
from ..cas.place import Cut
from ..errors import BlobMissing
from .history import History
from .reader import Reader


class Footprint(NamedTuple):
    """What one artifact takes."""

    artifact: str
    versions: int
    evicted: int
    """How many of them have had their bytes taken away."""
    logical_bytes: int
    """All versions, each as if it were stored for itself."""
    stored_bytes: int
    """What its blobs take, each once."""
    own_bytes: int
    """What of that belongs to no other artifact."""


def footprints(history: History) -> list[Footprint]:
    """What each artifact takes of the disk, as far as it is there now; by name. Cost: reads every manifest."""
    reader = history._reader
    owners: dict[object, set[str]] = defaultdict(set)
    sizes: dict[object, int] = {}
    versions = {artifact.name: artifact.versions for artifact in history.artifacts()}
    evicted: dict[str, int] = {}
    for name, found in versions.items():
        contents = {version.content: list(_blobs(reader, version.content)) for version in found}
        evicted[name] = sum(not blobs for blobs in contents.values())
        for digest in {digest for blobs in contents.values() for digest in blobs}:
            for place, size_bytes in _places(reader, digest):
                owners[place].add(name)
                sizes[place] = size_bytes
    stored, own = dict.fromkeys(versions, 0), dict.fromkeys(versions, 0)
    for place, names in owners.items():
        for name in names:
            stored[name] += sizes[place]
        if len(names) == 1:
            own[min(names)] += sizes[place]
    return [
        Footprint(name, len(found), evicted[name], sum(one.size_bytes for one in found), stored[name], own[name])
        for name, found in versions.items()
    ]


def _blobs(reader: Reader, content: Digest) -> Iterator[Digest]:
    """The blobs of a content; none where it is gone."""
    try:
        manifest = reader.manifest(content)
    except BlobMissing:
        return
    yield content
    for part in walk(reader.store.blobs, manifest):
        yield part.digest


def _places(reader: Reader, digest: Digest) -> Iterator[tuple[object, int]]:
    """What a blob takes: its bytes, or extents of files, which it may share with others."""
    row = reader.store.blobs.row(digest)
    if row is None:
        return
    if not isinstance(row.place, Cut):
        yield digest, row.size_bytes
        return
    for extent in row.place.extents:
        yield extent, extent.size_bytes
