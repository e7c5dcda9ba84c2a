"""What artifacts take of the disk, and how much of that nothing else shares."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from ..cas.blob import walk
from ..cas.digest import Digest
from ..cas.place import Cut
from ..errors import BlobMissing
from .history import History
from .reader import Reader
from .version_list import every_version


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
    counts: Counter[str] = Counter()
    logical: Counter[str] = Counter()
    evicted: Counter[str] = Counter()
    for name, found in groupby(every_version(reader), lambda version: version.made.key.name):
        named: set[Digest] = set()
        for version in found:
            blobs = list(_blobs(reader, version.made.key.content))
            counts[name] += 1
            logical[name] += version.output.size_bytes
            evicted[name] += not blobs
            named.update(blobs)
        for digest in named:
            for place, size_bytes in _places(reader, digest):
                owners[place].add(name)
                sizes[place] = size_bytes
    stored, own = dict.fromkeys(counts, 0), dict.fromkeys(counts, 0)
    for place, names in owners.items():
        for name in names:
            stored[name] += sizes[place]
        if len(names) == 1:
            own[min(names)] += sizes[place]
    return [
        Footprint(name, count, evicted[name], logical[name], stored[name], own[name]) for name, count in counts.items()
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
