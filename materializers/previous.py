"""What was in the same place before: the blobs that the large buffers of a new version succeed.

Places correspond by the parts' names, through all formats that are the same in both versions. This is only about how
little is stored: a version whose manifest is gone or damaged, or whose layout is another, simply has nothing to offer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..cas.blob import BlobReader, read_manifest
from ..cas.digest import Digest
from ..cas.manifest import BlobPart, Manifest, ManifestPart, Part
from ..cas.tree import Tree
from ..errors import BlobMissing, Corrupt, ManifestCorrupt
from ..immutable import Immutable

COMPARED_MIN_BYTES = 1024 * 1024
"""Buffers from this size on are compared to their predecessors."""


class Previous(Immutable):
    """The version that a value succeeds."""

    content: Callable[[], Digest | None]
    """Gives its content id, or None if there is no such version; asked once, when the first large buffer comes."""
    blobs: BlobReader
    """Where its manifests are."""


class Slot:
    """The parts of a nested value as they were before; looked up when first asked for."""

    __slots__ = ("_blobs", "_find", "_format", "_parts")

    def __init__(self, find: Callable[[], Manifest | None], blobs: BlobReader, format_id: str) -> None:
        """Stand for the manifest that `find` gives, if it is of this format."""
        self._find = find
        self._blobs = blobs
        self._format = format_id
        self._parts: dict[str, Part] | None = None

    @classmethod
    def outermost(cls, previous: Previous, format_id: str) -> Slot:
        """The place of the whole value."""

        def find() -> Manifest | None:
            content = previous.content()
            return None if content is None else _manifest(previous.blobs, content)

        return cls(find, previous.blobs, format_id)

    def inner(self, name: str, format_id: str) -> Slot:
        """The place of the part of this name, which is to be a value of this format."""
        return Slot(partial(self._inner, name), self._blobs, format_id)

    def blob(self, name: str) -> Digest | None:
        """The blob that had this name."""
        part = self._known().get(name)
        return part.digest if isinstance(part, BlobPart) else None

    def tree(self) -> Tree | None:
        """The directory that this place stands for."""
        manifest = self._find()
        try:
            return None if manifest is None or manifest.format != self._format else Tree(manifest, self._blobs)
        except ManifestCorrupt:
            return None

    def _inner(self, name: str) -> Manifest | None:
        part = self._known().get(name)
        if isinstance(part, ManifestPart):
            return _manifest(self._blobs, part.digest)
        return part if isinstance(part, Manifest) else None

    def _known(self) -> dict[str, Part]:
        if self._parts is None:
            manifest = self._find()
            self._parts = {} if manifest is None or manifest.format != self._format else dict(manifest.parts)
        return self._parts


def _manifest(blobs: BlobReader, digest: Digest) -> Manifest | None:
    try:
        return read_manifest(blobs, digest)
    except (BlobMissing, Corrupt):
        return None
