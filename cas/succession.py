"""Succession: a large blob as parts of its predecessor and what is new.

What is found to be shared never enters a digest, so how it is found may change at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from blake3 import blake3

from .digest import Digest
from .extents import ExtentReader
from .files import BlobFiles
from .matching import Match, matches
from .pack import PackWriter
from .place import Cut, Extent, Volume
from .source import FileSource, Source, blocks

_LEAST_SHARED = 8
"""One part in so many must be shared: below, a file of its own costs little more and can be mapped."""
_EXTENT_MEAN_BYTES = 8 * 1024
_EXTENTS_ALWAYS = 256
_VOLUMES_MAX = 512


class Piece(NamedTuple):
    """An extent whose pack may still be on its way."""

    volume: Volume | PackWriter
    offset: int
    size_bytes: int

    def extent(self) -> Extent:
        """The extent, once the pack is sealed."""
        volume = self.volume.volume if isinstance(self.volume, PackWriter) else self.volume
        assert volume is not None
        return Extent(volume, self.offset, self.size_bytes)


class Gap(NamedTuple):
    """Bytes that the predecessor has not."""

    start: int
    size_bytes: int


Succession = list[Extent | Gap]
"""The new blob from its beginning to its end."""


def succeed(files: BlobFiles, new: Source, old: Sequence[Extent], *, item_bytes: int) -> Succession | None:
    """Find what new bytes share with old ones; None if so little, or in so many places, that it isn't worth it.

    Cost: reads both about twice, at a few GB/s; memory is constant.
    """
    with ExtentReader(files, old) as reader:
        found = matches(new, reader, item_bytes=item_bytes)
    if sum(match.size_bytes for match in found) * _LEAST_SHARED < new.size_bytes:
        return None
    succession = _succession(new.size_bytes, found, Cut(tuple(old)))
    is_scattered = len(succession) > max(_EXTENTS_ALWAYS, new.size_bytes // _EXTENT_MEAN_BYTES)
    return None if is_scattered or len(volumes_within(succession)) > _VOLUMES_MAX else succession


def volumes_within(succession: Succession) -> set[Volume]:
    """The files that what is shared lies in."""
    return {part.volume for part in succession if isinstance(part, Extent)}


def _succession(size_bytes: int, found: Sequence[Match], old: Cut) -> Succession:
    parts: Succession = []
    place = 0
    for start, origin, length in ((match.start, match.origin, match.size_bytes) for match in found):
        if start > place:
            parts.append(Gap(place, start - place))
        parts.extend(old.within(origin, origin + length))
        place = start + length
    if place < size_bytes:
        parts.append(Gap(place, size_bytes - place))
    return parts


def pieces_of(succession: Succession, new: Source, pack: Callable[[], PackWriter]) -> list[Piece]:
    """Write what is new to a pack; give the whole blob's pieces."""
    pieces: list[Piece] = []
    for part in succession:
        if isinstance(part, Gap):
            writer = pack()
            pieces.append(Piece(writer, writer.add_from(new, *part), part.size_bytes))
        else:
            pieces.append(Piece(*part))
    return pieces


def digest_of_pieces(files: BlobFiles, pieces: Sequence[Piece]) -> Digest:
    """Digest what pieces make, those in packs on their way included, in constant memory."""
    hasher = blake3()
    for volume, offset, size_bytes in pieces:
        if isinstance(volume, PackWriter):
            source: Source = FileSource(volume.scratch.fd, volume.size_bytes)
            for block in blocks(source, offset, offset + size_bytes):
                hasher.update(block)
        else:
            with ExtentReader(files, [Extent(volume, offset, size_bytes)]) as reader:
                for block in blocks(reader):
                    hasher.update(block)
    return Digest(hasher.digest())
