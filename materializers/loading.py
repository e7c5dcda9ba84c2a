"""Loading: from a manifest back to its value."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from ..cas.blob import BlobReader
from ..cas.manifest import BlobPart, Manifest
from ..errors import LinealError, LoadRefused, ManifestCorrupt, MaterializerMissing
from .base import PLAIN_FORMAT
from .registry import REGISTRY, Registry

# What damage raises in a materializer or in the library that it asks. Not what a lack of memory or the system raises.
_MISFITS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


class ManifestReader:
    """The `PartReader` over a blob store."""

    def __init__(self, manifest: Manifest, blobs: BlobReader, registry: Registry) -> None:
        self._parts = dict(manifest.parts)
        if len(self._parts) != len(manifest.parts):
            raise ManifestCorrupt("two parts of a manifest have one name", where=manifest.format)
        self._format = manifest.format
        self._blobs = blobs
        self._registry = registry

    def names(self) -> tuple[str, ...]:
        return tuple(self._parts)

    def buffer(self, name: str) -> memoryview:
        part = self._parts.get(name)
        if isinstance(part, bytes):
            return memoryview(bytearray(part))
        if isinstance(part, BlobPart):
            return self._blobs.view(part.digest, part.size_bytes)
        raise self._missing(name, "buffer")

    def value(self, name: str) -> Any:
        part = self._parts.get(name)
        if not isinstance(part, Manifest):
            raise self._missing(name, "value")
        return _value_of(part, self._blobs, self._registry)

    def _missing(self, name: str, kind: str) -> ManifestCorrupt:
        return ManifestCorrupt(f"the manifest has no {kind} {name!r}", where=self._format)


def load(manifest: Manifest, blobs: BlobReader, *, allow_pickle: bool = True, registry: Registry = REGISTRY) -> object:
    """Load a value: a new one at each call, with large buffers mapped where they can be, all of it yours to change.

    Args:
        manifest: How the value is laid out.
        blobs: Where its blobs are.
        allow_pickle: Load formats that execute code; refuse them before anything is loaded otherwise.
        registry: Which materializers to ask.

    Raises:
        BlobMissing, BlobCorrupt: From the blobs.
        LoadRefused: Loading would execute code, and that was not allowed.
        ManifestCorrupt: The manifest does not describe a value of its format.
        MaterializerMissing: Nothing registered loads one of its formats.
    """
    for one in _nested(manifest):
        if registry.runs_code(one.format) and not allow_pickle:
            raise LoadRefused(
                f"loading a {one.type} of the format {one.format} executes code, which was not allowed",
                hint="Allow pickle if you trust whoever wrote the store.",
                format=one.format,
                type=one.type,
            )
    return _value_of(manifest, blobs, registry)


def runs_code(manifest: Manifest, registry: Registry = REGISTRY) -> bool:
    """Whether loading may execute code; true where a materializer is missing, since nobody can tell."""
    try:
        return any(registry.runs_code(one.format) for one in _nested(manifest))
    except MaterializerMissing:
        return True


def is_plain(manifest: Manifest) -> bool:
    """Whether it is a value of built-in types alone, which loads without importing anything."""
    return all(one.format == PLAIN_FORMAT for one in _nested(manifest))


def _nested(manifest: Manifest) -> Iterator[Manifest]:
    """The manifest and all those in it."""
    yield manifest
    for _, part in manifest.parts:
        if isinstance(part, Manifest):
            yield from _nested(part)


def _value_of(manifest: Manifest, blobs: BlobReader, registry: Registry) -> Any:
    materializer = registry.for_format(manifest.format)
    reader = ManifestReader(manifest, blobs, registry)
    if materializer.runs_code:
        return materializer.load(manifest.head, reader)
    try:
        return materializer.load(manifest.head, reader)
    except LinealError:
        raise
    except _MISFITS as error:
        raise ManifestCorrupt(
            f"the manifest does not describe a value of its format: {type(error).__name__}: {error}",
            where=manifest.format,
            hint="Run `lineal verify`; a step that made the value can make it again with caching off.",
        ) from error
