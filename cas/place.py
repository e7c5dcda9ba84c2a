"""Where a blob's bytes are, and how its catalog row says so.

A blob is small and in the row itself, or a file of its own, or cut into extents of volumes. A volume is a physical
file: a blob's own, or a pack. Extents name volumes and never other cut blobs, so reading follows no chain.

Row: ``place (1 byte) ‖ kind (1) ‖ size (8) ‖ CRC-32 (4) ‖ payload``, little-endian. The checksum covers the digest, the
fields before it, and the payload of a cut blob, which is msgpack ``[[[volume kind, digest, size], …], [volume's index,
offset, size, …]]``; the bytes of an inline blob are covered by the digest.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from enum import IntEnum
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple
from zlib import crc32

import msgpack

from ..errors import BlobCorrupt
from ..immutable import Immutable
from .digest import DIGEST_BYTES, Digest, digest_of

_FIELDS = struct.Struct("<BBQ")
_CHECKSUM = struct.Struct("<I")
_HEADER_BYTES = _FIELDS.size + _CHECKSUM.size
_WHOLE, _INLINE, _CUT = 0, 1, 2
_OFFSET_MAX = 1 << 62


class BlobKind(IntEnum):
    """What a blob's bytes are, so that a collector can follow manifests without guessing."""

    BYTES = 0
    MANIFEST = 1


class VolumeKind(IntEnum):
    """What a physical file is."""

    BLOB = 0
    """The file of one blob, under its digest."""
    PACK = 1
    """Extents of several blobs, under the digest of the file."""


class Volume(NamedTuple):
    """A physical file that holds bytes of blobs; immutable, and named by the digest of its own bytes."""

    kind: VolumeKind
    digest: Digest
    size_bytes: int


class Extent(NamedTuple):
    """Some bytes of a volume."""

    volume: Volume
    offset: int
    size_bytes: int


class Inline(Immutable):
    """The bytes are in the catalog row."""

    data: bytes


class Whole(Immutable):
    """The bytes are a file of their own."""


class Cut(Immutable):
    """The bytes are these extents, one after the other."""

    extents: tuple[Extent, ...]

    @cached_property
    def _stops(self) -> list[int]:
        """Where in the blob each extent ends."""
        return list(accumulate(extent.size_bytes for extent in self.extents))

    def volumes(self) -> set[Volume]:
        """The files that hold them."""
        return {extent.volume for extent in self.extents}

    def within(self, start: int, stop: int) -> Iterator[Extent]:
        """The extents of a part of the blob, in order. Cost: only those are looked at."""
        for index in range(bisect_right(self._stops, start), len(self.extents)):
            volume, offset, size_bytes = self.extents[index]
            place = self._stops[index] - size_bytes
            if place >= stop:
                return
            first, last = max(start - place, 0), min(stop - place, size_bytes)
            if first < last:
                yield Extent(volume, offset + first, last - first)


Place = Inline | Whole | Cut
WHOLE = Whole()


class Row(NamedTuple):
    """A catalog row."""

    kind: BlobKind
    size_bytes: int
    place: Place


def volumes_of(digest: Digest, size_bytes: int, place: Place) -> set[Volume]:
    """The files that hold a blob."""
    if isinstance(place, Whole):
        return {Volume(VolumeKind.BLOB, digest, size_bytes)}
    return place.volumes() if isinstance(place, Cut) else set()


def encode_row(digest: Digest, row: Row) -> bytes:
    """The bytes of a row."""
    place = row.place
    if isinstance(place, Inline):
        fields = _FIELDS.pack(_INLINE, row.kind, row.size_bytes)
        return fields + _CHECKSUM.pack(crc32(fields, crc32(digest))) + place.data
    code, payload = (_WHOLE, b"") if isinstance(place, Whole) else (_CUT, _encode_extents(place.extents))
    fields = _FIELDS.pack(code, row.kind, row.size_bytes)
    return fields + _CHECKSUM.pack(crc32(payload, crc32(fields, crc32(digest)))) + payload


def decode_row(digest: bytes, data: bytes | memoryview) -> Row:
    """Read a row back.

    Raises:
        BlobCorrupt: It is damaged; the bytes of an inline blob are not looked at.
    """
    try:
        (checksum,) = _CHECKSUM.unpack_from(data, _FIELDS.size)
        covered = b"" if data[0] == _INLINE else data[_HEADER_BYTES:]
        if checksum == crc32(covered, crc32(data[: _FIELDS.size], crc32(digest))):
            return decode_fields(digest, data)
    except (struct.error, IndexError) as error:
        raise damaged_row(digest) from error
    raise damaged_row(digest)


def decode_fields(digest: bytes, data: bytes | memoryview) -> Row:
    """Read a row back whatever its checksum, for those who then check the blob's bytes. Raises `BlobCorrupt`."""
    try:
        code, kind, size_bytes = _FIELDS.unpack_from(data)
        return Row(BlobKind(kind), size_bytes, _decode_place(code, bytes(data[_HEADER_BYTES:])))
    except (struct.error, ValueError, TypeError, IndexError, msgpack.UnpackException) as error:
        raise damaged_row(digest) from error


def inline_in(digest: Digest, data: bytes) -> bytes | None:
    """The bytes in the row of an inline blob, verified against its digest; None where it is another kind or damaged."""
    size_bytes = len(data) - _HEADER_BYTES
    if size_bytes < 0 or data[0] != _INLINE:
        return None
    _, _, said_bytes = _FIELDS.unpack_from(data)
    (checksum,) = _CHECKSUM.unpack_from(data, _FIELDS.size)
    if said_bytes != size_bytes or checksum != crc32(data[: _FIELDS.size], crc32(digest)):
        return None
    found = data[_HEADER_BYTES:]
    return found if digest_of(found) == digest else None


def is_inline_of(data: bytes, kind: BlobKind) -> bool:
    """Whether a row, as far as its first bytes can be trusted, has a blob of this kind in it."""
    return data[0] == _INLINE and data[1] == kind


def bytes_in(data: bytes) -> bytes:
    """What a row would hold if its blob were inline, whatever it says of itself."""
    return data[_HEADER_BYTES:]


def is_whole(data: bytes | memoryview | None) -> bool:
    """Whether a row, as far as its first byte can be trusted, says that the blob is a file of its own."""
    return data is not None and data[:1] == bytes([_WHOLE])


def damaged_row(digest: bytes) -> BlobCorrupt:
    """The error of a catalog row that can't be read."""
    return BlobCorrupt(
        f"the catalog's row of blob {digest.hex()[:12]}… is damaged",
        hint="Run `lineal repair`.",
        digest=digest,
    )


def _decode_place(code: int, payload: bytes) -> Place:
    if code == _INLINE:
        return Inline(payload)
    if code == _WHOLE:
        return WHOLE
    volumes, numbers = msgpack.unpackb(payload)
    if not all(type(number) is int and 0 <= number <= _OFFSET_MAX for number in numbers):
        raise ValueError("an offset or a size is none")
    known = [Volume(VolumeKind(kind), Digest(digest), size_bytes) for kind, digest, size_bytes in volumes]
    triples = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    return Cut(tuple(Extent(known[index], offset, size_bytes) for index, offset, size_bytes in triples))


def _encode_extents(extents: Iterable[Extent]) -> bytes:
    indexes: dict[Volume, int] = {}
    numbers: list[int] = []
    for volume, offset, size_bytes in extents:
        numbers += (indexes.setdefault(volume, len(indexes)), offset, size_bytes)
    volumes = [[int(kind), digest, size_bytes] for kind, digest, size_bytes in indexes]
    return bytes(msgpack.packb([volumes, numbers]))


VOLUME_PREFIX_BYTES = 1 + DIGEST_BYTES
"""How much of a key in the table of volumes says which volume it is of; the rest is a blob's digest."""


def volume_key(volume: Volume, blob: Digest | bytes = b"") -> bytes:
    """The key in the table of volumes that says that a blob has extents in a volume; without a blob, its prefix."""
    return bytes([volume.kind]) + volume.digest + blob


def merged(extents: Iterable[Extent]) -> tuple[Extent, ...]:
    """The same bytes in as few extents as can be."""
    result: list[Extent] = []
    for extent in extents:
        last = result[-1] if result else None
        if last is not None and last.volume == extent.volume and last.offset + last.size_bytes == extent.offset:
            result[-1] = Extent(last.volume, last.offset, last.size_bytes + extent.size_bytes)
        elif extent.size_bytes:
            result.append(extent)
    return tuple(result)
