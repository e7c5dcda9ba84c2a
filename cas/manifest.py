"""Manifests: how one value is laid out in blobs.

A manifest is itself a blob. Its bytes are canonical msgpack, so its digest is the value's content id:
two values are equal content exactly if their manifests are the same bytes.

Layout: ``["lineal.manifest", 1, format, type, head, parts]`` with parts ``[name, kind, payload, size_bytes]``;
kind 0 carries the part's bytes, kind 1 the digest of its blob, kind 2 another manifest in this same layout,
kind 3 the digest of another manifest that is a blob of its own, with the size of all that is under it.
Maps inside the head keep their order: order is part of a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import msgpack

from ..errors import ManifestCorrupt
from ..immutable import Immutable
from .digest import Digest, digest_of

MAGIC = "lineal.manifest"
LAYOUT_VERSION = 1
_BEGINNING = [MAGIC, LAYOUT_VERSION]
INLINE_MAX_BYTES = 16 * 1024
"""Parts up to this size ride inside the manifest; larger ones are blobs of their own."""
_MAX_NESTING = 64
_BUFFER_BYTES = 4096
"""What a packer begins with; it grows. By default it is so much that the system takes it back each time."""

Plain = None | bool | int | float | str | bytes | list[Any] | dict[str, Any]
"""What a head may hold: msgpack's own types, nested."""


class BlobPart(Immutable):
    """A part that is a blob of its own."""

    digest: Digest
    size_bytes: int


class ManifestPart(Immutable):
    """A part that is another manifest, kept as a blob of its own."""

    digest: Digest
    size_bytes: int
    """Logical: the manifest and all blobs under it."""


class Manifest(Immutable):
    """The layout of one value: which format, of which type, with which head and parts."""

    format: str
    """Format id and version, as in ``numpy.ndarray/1``: chooses the code that loads it."""
    type: str
    """Qualified name of the value's type; for people to read, never imported from."""
    head: Plain
    """What the format wants to know before it touches a part: shape, dtype, small values whole."""
    parts: tuple[tuple[str, Part], ...] = ()
    """Named parts in the format's order."""

    @property
    def encoded(self) -> bytes:
        """The canonical bytes; made once, without the lock that `cached_property` takes."""
        encoded: bytes | None = self.__dict__.get("encoded")
        if encoded is None:
            packer = msgpack.Packer(unicode_errors="surrogatepass", buf_size=_BUFFER_BYTES)
            encoded = self.__dict__["encoded"] = bytes(packer.pack(_to_array(self)))
        return encoded

    @cached_property
    def digest(self) -> Digest:
        """The value's content id."""
        return digest_of(self.encoded)

    def know(self, digest: Digest) -> None:
        """Take its digest from whoever has computed it already."""
        self.__dict__["digest"] = digest

    @property
    def size_bytes(self) -> int:
        """The logical size: this manifest and all blobs under it, shared or not."""
        size_bytes = len(self.encoded)
        return size_bytes + sum(part.size_bytes for part in self.named()) if self.parts else size_bytes

    def named(self) -> Iterator[BlobPart | ManifestPart]:
        """What this manifest names by digest, those that ride inside it included, in order."""
        for _, part in self.parts:
            if isinstance(part, BlobPart | ManifestPart):
                yield part
            elif isinstance(part, Manifest):
                yield from part.named()

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Read the canonical bytes back.

        Raises:
            ManifestCorrupt: The bytes are no manifest, or one that this version can't read.
        """
        try:
            manifest = _from_array(
                msgpack.unpackb(data, raw=False, strict_map_key=False, unicode_errors="surrogatepass"), 0
            )
        except ManifestCorrupt:
            raise
        except (ValueError, TypeError, KeyError, msgpack.UnpackException, RecursionError) as error:
            raise ManifestCorrupt(f"the bytes of a manifest can't be read: {error}") from error
        manifest.__dict__["encoded"] = bytes(data)
        return manifest


def has_no_parts(data: bytes) -> bool:
    """Whether these are the canonical bytes of a manifest without parts; half the cost of decoding it."""
    try:
        array = msgpack.unpackb(data, raw=False, strict_map_key=False, unicode_errors="surrogatepass")
        return bool(array[:2] == _BEGINNING and array[5:] == [[]])
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError):
        return False


def _to_array(manifest: Manifest) -> list[Any]:
    parts: list[Any] = []
    for name, part in manifest.parts:
        if isinstance(part, BlobPart):
            parts.append([name, 1, part.digest, part.size_bytes])
        elif isinstance(part, Manifest):
            parts.append([name, 2, _to_array(part), 0])
        elif isinstance(part, ManifestPart):
            parts.append([name, 3, part.digest, part.size_bytes])
        else:
            parts.append([name, 0, part, len(part)])
    return [MAGIC, LAYOUT_VERSION, manifest.format, manifest.type, manifest.head, parts]


def _from_array(array: Any, depth: int) -> Manifest:
    if not isinstance(array, list) or len(array) != 6 or array[0] != MAGIC:
        raise ManifestCorrupt("the bytes are not a manifest")
    if array[1] != LAYOUT_VERSION:
        raise ManifestCorrupt(f"the manifest has layout version {array[1]!r}, known is {LAYOUT_VERSION}")
    if depth > _MAX_NESTING:
        raise ManifestCorrupt(f"manifests are nested more than {_MAX_NESTING} deep")
    format_id, type_name, head, raw_parts = array[2:]
    if not isinstance(format_id, str) or not isinstance(type_name, str) or not isinstance(raw_parts, list):
        raise ManifestCorrupt("a manifest's format, type or parts are of the wrong kind")
    parts = tuple([_part(raw, depth) for raw in raw_parts]) if raw_parts else ()
    return Manifest(format_id, type_name, head, parts)


def _part(raw: Any, depth: int) -> tuple[str, Part]:
    name, kind, payload, size_bytes = raw
    if not isinstance(name, str) or not isinstance(size_bytes, int) or size_bytes < 0:
        raise ManifestCorrupt("a manifest's part has no name or no size")
    if kind == 0 and isinstance(payload, bytes):
        return name, payload
    if kind == 1 and isinstance(payload, bytes):
        return name, BlobPart(Digest(payload), size_bytes)
    if kind == 2:
        return name, _from_array(payload, depth + 1)
    if kind == 3 and isinstance(payload, bytes):
        return name, ManifestPart(Digest(payload), size_bytes)
    raise ManifestCorrupt(f"part {name!r} of a manifest is of unknown kind {kind!r}")


Part = bytes | BlobPart | Manifest | ManifestPart
"""What a manifest may hold under a name."""
