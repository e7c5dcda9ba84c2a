"""Saving: from a value to its manifest, with the large buffers put on the way.

What rides inside a manifest and what is a blob of its own follows from sizes and order alone, so equal values are laid
out alike. A large nested manifest is a blob too: versions of a container share those of all that did not change in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..cas.blob import BlobWriter
from ..cas.digest import Buffer
from ..cas.directory import copy_below, directory_manifest, file_part
from ..cas.manifest import INLINE_MAX_BYTES, BlobPart, Manifest, ManifestPart, Part, Plain
from ..cas.place import BlobKind
from ..cas.source import Source
from ..cas.tree import EXECUTABLE, FileEntry, Tree
from ..errors import Invalid, UnsavableValue
from ..immutable import Immutable
from .base import CODE, PICKLE_FORMAT, Materializer, TooDeep, is_built_in, name_of_code, type_name
from .describing import described
from .previous import COMPARED_MIN_BYTES, Previous, Slot
from .registry import REGISTRY, Registry

# Below what a manifest may nest, so that what was saved can be loaded.
_MAX_DEPTH = 60

# What rides in one manifest together; then only what is hardly larger than a digest.
_RIDING_MAX_BYTES = 64 * 1024
_TINY_MAX_BYTES = 64


class Saved(Immutable):
    """A value that was put: its blobs and manifest wait in the writer for publication."""

    manifest: Manifest
    """How the value is laid out; its digest is the content id."""
    metadata: dict[str, Plain]
    """What its materializer says of it, and under `CODE` which classes and functions its bytes name, if any."""
    materializer: Materializer[Any]


class ManifestWriter:
    """The `PartWriter` over a blob store."""

    __slots__ = ("_blobs", "_depth", "_registry", "_riding_bytes", "_slot", "code", "parts")

    def __init__(
        self, blobs: BlobWriter, registry: Registry, slot: Slot | None, depth: int = 0, code: set[str] | None = None
    ) -> None:
        self._blobs = blobs
        self._registry = registry
        self._depth = depth
        self._slot = slot
        self._riding_bytes = 0
        self.parts: list[tuple[str, Part]] = []
        self.code: set[str] = set() if code is None else code

    def buffer(self, name: str, data: Buffer, *, item_bytes: int = 1) -> None:
        view = memoryview(data)
        size_bytes = view.nbytes
        if self._rides(size_bytes):
            self.parts.append((name, view.tobytes()))
            return
        after = None if self._slot is None or size_bytes < COMPARED_MIN_BYTES else self._slot.blob(name)
        digest = self._blobs.put(view.cast("B"), item_bytes=item_bytes, after=after)
        self.parts.append((name, BlobPart(digest, size_bytes)))

    def source(self, name: str, source: Source) -> None:
        after = None if self._slot is None else self._slot.blob(name)
        self.parts.append((name, self._blobs.put_source(source, after=after)))

    def stream(self, name: str, chunks: Iterable[Buffer]) -> None:
        after = None if self._slot is None else self._slot.blob(name)
        self.parts.append((name, self._blobs.put_stream(chunks, after=after)))

    def value(self, name: str, value: object, *, step: str = "", pickled: bool = False) -> None:
        if self._depth == _MAX_DEPTH:
            raise TooDeep
        registry = self._registry
        materializer = registry.for_format(PICKLE_FORMAT) if pickled else registry.for_value(value)
        slot = None if self._slot is None else self._slot.inner(name, materializer.format)
        try:
            inner = ManifestWriter(self._blobs, registry, slot, self._depth + 1, self.code)
            manifest = _manifest_of(value, materializer, inner)
        except UnsavableValue as error:
            error.details["steps"] = [step, *error.details.get("steps", ())]
            raise
        if self._rides(len(manifest.encoded)):
            self.parts.append((name, manifest))
        else:
            digest = self._blobs.put(manifest.encoded, BlobKind.MANIFEST)
            self.parts.append((name, ManifestPart(digest, manifest.size_bytes)))

    def names(self, code: Iterable[str]) -> None:
        self.code.update(code)

    def format_of(self, value: object) -> str:
        return self._registry.for_type(type(value)).format

    def file(self, name: str, source: Path | FileEntry) -> bool:
        after = None if self._slot is None else self._slot.blob(name)
        letter, part = file_part(self._blobs, source, after=after)
        if isinstance(part, bytes) and not self._rides(len(part)):
            part = BlobPart(self._blobs.put(part), len(part))
        self.parts.append((name, part))
        return letter == EXECUTABLE

    def directory(self, source: Path | Tree) -> Plain:
        if isinstance(source, Tree):
            manifest = source.manifest
            copy_below(manifest, source.reader, self._blobs)
        else:
            manifest = directory_manifest(self._blobs, source, after=None if self._slot is None else self._slot.tree())
        self.parts += manifest.parts
        return manifest.head

    def _rides(self, size_bytes: int) -> bool:
        """Whether a part of this size goes inside the manifest."""
        if size_bytes > INLINE_MAX_BYTES:
            return False
        if size_bytes > _TINY_MAX_BYTES and self._riding_bytes + size_bytes > _RIDING_MAX_BYTES:
            return False
        self._riding_bytes += size_bytes
        return True


def save(
    value: object,
    blobs: BlobWriter,
    registry: Registry = REGISTRY,
    *,
    previous: Previous | None = None,
    materializer: Materializer[Any] | None = None,
) -> Saved:
    """Put a value: its large buffers, and last its manifest. The caller publishes.

    Args:
        value: Anything.
        blobs: Takes the bytes.
        registry: Which materializers to ask.
        previous: The version that the value succeeds: of large buffers that have a predecessor in their place there,
            only what is new need be stored. It has no influence on the content.
        materializer: What saves the value itself, by default what is registered for its type; its parts are not asked.

    Raises:
        UnsavableValue: A part of it has no byte form; the error says which, of which type, and what to do.
    """
    if materializer is None:
        materializer = registry.for_value(value)
    try:
        try:
            manifest, code = _outermost(value, materializer, blobs, registry, previous)
        except TooDeep:
            materializer = registry.for_format(PICKLE_FORMAT)
            manifest, code = _outermost(value, materializer, blobs, registry, previous)
    except UnsavableValue as error:
        error.where = "".join(["value", *error.details.get("steps", ())])
        raise
    manifest.know(blobs.put(manifest.encoded, BlobKind.MANIFEST))
    metadata = described(value, materializer)
    return Saved(manifest, {**metadata, CODE: code} if code else metadata, materializer)


def _outermost(
    value: object, materializer: Materializer[Any], blobs: BlobWriter, registry: Registry, previous: Previous | None
) -> tuple[Manifest, list[Plain]]:
    slot = None if previous is None else Slot.outermost(previous, materializer.format)
    writer = ManifestWriter(blobs, registry, slot)
    manifest = _manifest_of(value, materializer, writer)
    return manifest, [*sorted(writer.code)]


def _manifest_of(value: object, materializer: Materializer[Any], writer: ManifestWriter) -> Manifest:
    head = materializer.save(value, writer)
    if not is_built_in(materializer):  # what it makes again is an object of a class that nothing else need name
        writer.names([*name_of_code(type(value)), *name_of_code(type(materializer))])
    if writer.parts and len(dict(writer.parts)) != len(writer.parts):
        raise Invalid("a materializer gave two parts one name", where=materializer.format, hint="Number them.")
    return Manifest(materializer.format, type_name(type(value)), head, tuple(writer.parts))
