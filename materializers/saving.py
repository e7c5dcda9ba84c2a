"""Saving: from a value to its manifest, with the large buffers put on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..cas.blob import BlobWriter
from ..cas.digest import Buffer
from ..cas.manifest import INLINE_MAX_BYTES, BlobPart, Manifest, Plain
from ..cas.place import BlobKind
from ..errors import Invalid, UnsavableValue
from .base import PICKLE_FORMAT, Materializer, TooDeep, type_name
from .registry import REGISTRY, Registry

# Below what a manifest may nest, so that what was saved can be loaded.
_MAX_DEPTH = 60


@dataclass(frozen=True, slots=True)
class Saved:
    """A value that was put: its blobs and manifest wait in the writer for publication."""

    manifest: Manifest
    """How the value is laid out; its digest is the content id."""
    metadata: dict[str, Plain]
    """What its materializer says of it."""
    materializer: Materializer[Any]


class ManifestWriter:
    """The `PartWriter` over a blob store."""

    def __init__(self, blobs: BlobWriter, registry: Registry, depth: int) -> None:
        self._blobs = blobs
        self._registry = registry
        self._depth = depth
        self.parts: list[tuple[str, bytes | BlobPart | Manifest]] = []

    def buffer(self, name: str, data: Buffer) -> None:
        view = memoryview(data)
        if view.nbytes <= INLINE_MAX_BYTES:
            self.parts.append((name, view.tobytes()))
        else:
            self.parts.append((name, BlobPart(self._blobs.put(view.cast("B")), view.nbytes)))

    def value(self, name: str, value: object, *, step: str = "", pickled: bool = False) -> None:
        if self._depth == _MAX_DEPTH:
            raise TooDeep
        registry = self._registry
        materializer = registry.for_format(PICKLE_FORMAT) if pickled else registry.for_value(value)
        try:
            manifest = _manifest_of(value, materializer, self._blobs, registry, self._depth + 1)
        except UnsavableValue as error:
            error.details["steps"] = [step, *error.details.get("steps", ())]
            raise
        self.parts.append((name, manifest))

    def is_opaque(self, value: object) -> bool:
        return self._registry.for_value(value).format == PICKLE_FORMAT


def save(value: object, blobs: BlobWriter, registry: Registry = REGISTRY) -> Saved:
    """Put a value: its large buffers, and last its manifest. The caller publishes.

    Raises:
        UnsavableValue: A part of it has no byte form; the error says which, of which type, and what to do.
    """
    materializer = registry.for_value(value)
    try:
        try:
            manifest = _manifest_of(value, materializer, blobs, registry, 0)
        except TooDeep:
            materializer = registry.for_format(PICKLE_FORMAT)
            manifest = _manifest_of(value, materializer, blobs, registry, 0)
    except UnsavableValue as error:
        error.where = "".join(["value", *error.details.get("steps", ())])
        raise
    blobs.put(manifest.encoded, BlobKind.MANIFEST)
    return Saved(manifest, materializer.metadata(value), materializer)


def _manifest_of(
    value: object, materializer: Materializer[Any], blobs: BlobWriter, registry: Registry, depth: int
) -> Manifest:
    writer = ManifestWriter(blobs, registry, depth)
    head = materializer.save(value, writer)
    if len(dict(writer.parts)) != len(writer.parts):
        raise Invalid("a materializer gave two parts one name", where=materializer.format, hint="Number them.")
    return Manifest(materializer.format, type_name(type(value)), head, tuple(writer.parts))
