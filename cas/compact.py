"""Compaction: the parts of a volume that are still needed go to a new pack, and the rest of it is freed.

Nothing is changed in place. The new pack is durable before one transaction moves all rows to it; the old volume goes in
a later one. Who has the old one open or mapped keeps it, and a reader that comes with an old row looks it up once more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from itertools import groupby
from typing import NamedTuple

from ..errors import BlobMissing, Corrupt
from .digest import Digest
from .environment import Changes
from .extents import ExtentReader
from .pack import ALIGNMENT_BYTES, PackWriter
from .place import VOLUME_PREFIX_BYTES, WHOLE, Cut, Extent, Row, Volume, VolumeKind, Whole, merged, volume_key
from .source import digest_of_source
from .store import VOLUMES, BlobStore, users_of

Exclusively = Callable[[], AbstractContextManager[Changes]]
"""Opens a write transaction that is durable once the block has ended."""

_LEAST_DEAD_BYTES = 64 * 1024


class Part(NamedTuple):
    """Bytes of a volume that blobs need, and where they go."""

    start: int
    stop: int
    new_start: int


class Waste(NamedTuple):
    """A volume of which blobs need less than half."""

    volume: Volume
    parts: tuple[Part, ...]

    @property
    def new_size_bytes(self) -> int:
        """What the new pack takes."""
        last = self.parts[-1]
        return last.new_start + last.stop - last.start

    @property
    def dead_bytes(self) -> int:
        """What is freed."""
        return self.volume.size_bytes - self.new_size_bytes


def wasteful(blobs: BlobStore, leaving: Collection[Digest] = ()) -> list[Waste]:
    """The volumes that are worth it, did some blobs leave. Cost: reads the rows of all cut blobs."""
    found = []
    for prefix, keys in groupby((key for key, _ in blobs.rows(VOLUMES)), lambda key: key[:VOLUME_PREFIX_BYTES]):
        users = [digest for key in keys if (digest := Digest(key[VOLUME_PREFIX_BYTES:])) not in leaving]
        with blobs.looked_at() as changes:
            waste = _waste(blobs, changes, prefix, users, leaving)
        if waste is not None and waste.dead_bytes > max(waste.new_size_bytes, _LEAST_DEAD_BYTES):
            found.append(waste)
    return found


def _waste(
    blobs: BlobStore, changes: Changes, prefix: bytes, users: list[Digest], leaving: Collection[Digest]
) -> Waste | None:
    extents = [
        extent
        for user in users
        for extent in _extents(blobs.row_in(changes, user))
        if volume_key(extent.volume) == prefix
    ]
    if not extents:
        return None
    volume = extents[0].volume
    own = blobs.row_in(changes, volume.digest) if volume.kind is VolumeKind.BLOB else None
    if own is not None and isinstance(own.place, Whole) and volume.digest not in leaving:
        return None
    return Waste(volume, tuple(_parts(extents)))


def _extents(row: Row | None) -> tuple[Extent, ...]:
    return row.place.extents if row is not None and isinstance(row.place, Cut) else ()


def _parts(extents: list[Extent]) -> Iterator[Part]:
    """The ranges that any extent covers, each at the alignment that it had."""
    ranges: list[tuple[int, int]] = []
    for start, stop in sorted((extent.offset, extent.offset + extent.size_bytes) for extent in extents):
        if ranges and start <= ranges[-1][1]:
            ranges[-1] = ranges[-1][0], max(stop, ranges[-1][1])
        else:
            ranges.append((start, stop))
    end = 0
    for start, stop in ranges:
        new_start = end + (start - end) % ALIGNMENT_BYTES
        yield Part(start, stop, new_start)
        end = new_start + stop - start


def copy_live(blobs: BlobStore, waste: Waste) -> Volume | None:
    """Write the new pack, durably, and hold it; None if the old volume is damaged or gone: that is not for us to copy.

    The caller releases it.
    """
    files, (old, parts) = blobs.files, waste
    pack = PackWriter(files)
    try:
        with ExtentReader(files, [Extent(old, 0, old.size_bytes)]) as source:
            if digest_of_source(source) != old.digest:
                return None
            for part in parts:
                pack.pad(part.new_start - pack.size_bytes)
                pack.add_from(source, part.start, part.stop - part.start)
        new = pack.seal()
        files.publish([pack.scratch], ())
    except (BlobMissing, Corrupt):
        return None
    finally:
        pack.scratch.discard()
    return new


def move(blobs: BlobStore, changes: Changes, waste: Waste, new: Volume) -> bool:
    """Let every row that names the old volume name the new one, under the write lock; tell whether all could."""
    moved: list[tuple[Digest, Row, Row]] = []
    for user in list(users_of(changes, waste.volume)):
        row = blobs.row_in(changes, user)
        extents = [_moved(extent, waste, new) for extent in _extents(row)]
        if row is None or None in extents:
            return False  # A batch has relied on bytes that nothing needed before.
        moved.append((user, row._replace(place=Cut(merged(one for one in extents if one is not None))), row))
    for user, row, old in moved:
        blobs.write_row(changes, user, row, old)
    return True


def _moved(extent: Extent, waste: Waste, new: Volume) -> Extent | None:
    volume, offset, size_bytes = extent
    if volume != waste.volume:
        return extent
    for start, stop, new_start in waste.parts:
        if start <= offset and offset + size_bytes <= stop:
            return Extent(new, new_start + offset - start, size_bytes)
    return None


def make_whole(blobs: BlobStore, digest: Digest, exclusively: Exclusively) -> bool:
    """Give a cut blob a file of its own, so that it can be mapped; tell whether it was cut.

    What it was cut into stays for whom else needs it, else until the next collection.

    Raises:
        BlobMissing, BlobCorrupt: It can't be put together.
    """
    row, files = blobs.find(digest), blobs.files
    if row is None or not isinstance(row.place, Cut):
        return False
    volume = files.whole(digest, row.size_bytes).volume
    with ExtentReader(files, row.place.extents) as source:
        files.publish([files.copy(volume, source)], ())
    try:
        with exclusively() as changes:
            now = blobs.row_in(changes, digest)
            if now is None or not (files.has_volume(volume) or files.rescue(volume)):
                return False  # It was collected meanwhile.
            blobs.write_row(changes, digest, now._replace(place=WHOLE), now)
    finally:
        files.release([volume])
    return True
