"""Loading: from a manifest back to its value."""

from __future__ import annotations

import re
import struct
from collections.abc import Hashable, Sequence
from typing import Any

from ..cas.blob import BlobReader, read_manifest
from ..cas.content import Content
from ..cas.manifest import BlobPart, Manifest, ManifestPart, Plain
from ..cas.tree import Tree
from ..errors import Invalid, LinealError, LoadRefused, ManifestCorrupt, MaterializerMissing
from .atoms import RECORD_CODES
from .base import PLAIN_FORMAT, Materializer, PartReader, Selection, is_built_in
from .refusing import nested, way_to
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


_RECORD_MARK = re.compile(rb"\xc7\x00[%c-%c]" % (RECORD_CODES[0], RECORD_CODES[-1]))
_MAX_BYTES = 2**48
"""No value is larger: few bytes that name each other over and over may stand for more than the world has."""


class ManifestReader:
    """The `PartReader` over a blob store."""

    __slots__ = ("_blobs", "_format", "_manifest", "_parts", "_registry", "may_import")

    def __init__(self, manifest: Manifest, blobs: BlobReader, registry: Registry, *, may_import: bool = False) -> None:
        self._parts = dict(manifest.parts)
        if len(self._parts) != len(manifest.parts):
            raise ManifestCorrupt("two parts of a manifest have one name", where=manifest.format)
        self._format = manifest.format
        self._manifest = manifest
        self._blobs = blobs
        self._registry = registry
        self.may_import = may_import

    def names(self) -> tuple[str, ...]:
        return tuple(self._parts)

    def size_bytes(self, name: str) -> int:
        part = self._parts.get(name)
        if isinstance(part, bytes):
            return len(part)
        if isinstance(part, BlobPart):
            return part.size_bytes
        raise self._missing(name, "buffer")

    def buffer(self, name: str, start: int = 0, stop: int | None = None) -> memoryview:
        part = self._parts.get(name)
        if isinstance(part, bytes):
            return memoryview(bytearray(part[start:stop]))
        if isinstance(part, BlobPart):
            return self._blobs.view(part.digest, part.size_bytes, start, stop)
        raise self._missing(name, "buffer")

    def value(self, name: str, selection: Selection | None = None) -> Any:
        part = self._parts.get(name)
        if isinstance(part, ManifestPart):
            part = _of_size(read_manifest(self._blobs, part.digest), part.size_bytes)
        if not isinstance(part, Manifest):
            raise self._missing(name, "value")
        return _value_of(part, self._blobs, self._registry, selection, self.may_import)

    def file(self, name: str) -> Content:
        part = self._parts.get(name)
        if isinstance(part, bytes | BlobPart):
            return Content(part, self._blobs)
        raise self._missing(name, "file")

    def directory(self) -> Tree:
        return Tree(self._manifest, self._blobs)

    def _missing(self, name: str, kind: str) -> ManifestCorrupt:
        return ManifestCorrupt(f"the manifest has no {kind} {name!r}", where=self._format)


def load(
    manifest: Manifest,
    blobs: BlobReader,
    *,
    allow_pickle: bool = True,
    columns: Sequence[Hashable] | None = None,
    rows: slice | None = None,
    registry: Registry = REGISTRY,
) -> object:
    """Load a value: a new one at each call, with large buffers mapped where they can be, all of it yours to change.

    Args:
        manifest: How the value is laid out.
        blobs: Where its blobs are.
        allow_pickle: Load formats that execute code, and import the classes of records. Otherwise refuse the former,
            before any of it is executed, and let a `Record` stand in for each of the latter.
        columns: Of a table, only the columns of these labels, in this order.
        rows: Of a table, or along the first axis of an array, only these rows.
        registry: Which materializers to ask.

    Raises:
        BlobMissing, BlobCorrupt: From the blobs.
        Invalid: The value has no such rows or columns.
        LoadRefused: Loading would execute code, and that was not allowed.
        ManifestCorrupt: The manifest does not describe a value of its format.
        MaterializerMissing: Nothing registered loads one of its formats.
    """
    if not allow_pickle:
        _check_is_allowed(manifest, blobs, registry)
    if manifest.parts and manifest.size_bytes > _MAX_BYTES:
        raise ManifestCorrupt(f"a value claims {manifest.size_bytes:,} bytes", where=manifest.format)
    selection = None if columns is None and rows is None else _selection(columns, rows)
    return _value_of(manifest, blobs, registry, selection, allow_pickle)


def runs_code(manifest: Manifest, blobs: BlobReader, registry: Registry = REGISTRY) -> bool:
    """Whether loading may execute code; true where a materializer is missing, since nobody can tell."""
    try:
        return any(registry.runs_code(one.format) for one in nested(manifest, blobs))
    except MaterializerMissing:
        return True


def runs_ours_alone(manifest: Manifest, blobs: BlobReader, registry: Registry = REGISTRY) -> bool:
    """Whether it is of built-in formats alone, none of which executes code that the bytes name."""
    try:
        found = [registry.for_format(one.format) for one in nested(manifest, blobs)]
    except MaterializerMissing:
        return False
    return all(is_built_in(one) and not one.runs_code for one in found)


def is_plain(manifest: Manifest, blobs: BlobReader) -> bool:
    """Whether it is a value of built-in types alone, which loads without importing anything."""
    return all(one.format == PLAIN_FORMAT and not _may_hold_records(one, blobs) for one in nested(manifest, blobs))


def is_plain_alone(manifest: Manifest) -> bool:
    """Whether it is so plain that this is told without reading a blob: what is small and of built-in types."""
    return manifest.format == PLAIN_FORMAT and not manifest.parts and not _has_mark(manifest.head)


def _has_mark(head: Any) -> bool:
    tree = head[1] if isinstance(head, list) and len(head) == 2 else None
    return not isinstance(tree, bytes) or _RECORD_MARK.search(tree) is not None


def _may_hold_records(manifest: Manifest, blobs: BlobReader) -> bool:
    """Whether bytes that could be the mark of a record are in a plain value; those in a text may be taken for one."""
    head: Any = manifest.head
    if not isinstance(head, list) or len(head) != 2:
        return True
    tree = head[1]
    if tree is None:
        data = dict(manifest.parts).get("data", b"")
        tree = blobs.view(data.digest, data.size_bytes) if isinstance(data, BlobPart) else data
    return not isinstance(tree, bytes | memoryview) or bool(_RECORD_MARK.search(tree))


def _check_is_allowed(manifest: Manifest, blobs: BlobReader, registry: Registry) -> None:
    for one in nested(manifest, blobs):
        if registry.runs_code(one.format):
            raise LoadRefused(
                f"loading a {one.type} of the format {one.format} executes code, which was not allowed",
                where=way_to(manifest, blobs, lambda inner: registry.runs_code(inner.format)),
                hint="If you trust who made it, open with allow_pickle=True, or `lineal trust` its import.",
                format=one.format,
                type=one.type,
            )


def _selection(columns: Sequence[Hashable] | None, rows: slice | None) -> Selection:
    if isinstance(columns, str | bytes) or not all(isinstance(label, Hashable) for label in columns or ()):
        raise Invalid("columns are selected by a list of their labels", hint="Write columns=['a', 'b'].")
    if rows is not None and (not isinstance(rows, slice) or rows.step not in (None, 1)):
        raise Invalid("rows are selected by a slice without a step", hint="Write rows=slice(start, stop).")
    return Selection(None if columns is None else tuple(columns), rows)


def _value_of(
    manifest: Manifest, blobs: BlobReader, registry: Registry, selection: Selection | None, may_import: bool
) -> Any:
    materializer = registry.for_format(manifest.format)
    reader = ManifestReader(manifest, blobs, registry, may_import=may_import)
    if materializer.runs_code:
        return _made(materializer, manifest.head, reader, selection)
    try:
        return _made(materializer, manifest.head, reader, selection)
    except LinealError:
        raise
    except _MISFITS as error:
        raise ManifestCorrupt(
            f"the manifest does not describe a value of its format: {type(error).__name__}: {error}",
            where=manifest.format,
            hint="Run `lineal verify`; a step that made the value can make it again with caching off.",
        ) from error


def _of_size(manifest: Manifest, size_bytes: int) -> Manifest:
    """The manifest, which must be of the size that was said: what the outermost claims is then what there is."""
    if manifest.size_bytes != size_bytes:
        raise ManifestCorrupt(
            f"a part of {size_bytes:,} bytes has {manifest.size_bytes:,}", where=manifest.format, size_bytes=size_bytes
        )
    return manifest


def _made(materializer: Materializer[Any], head: Plain, parts: PartReader, selection: Selection | None) -> Any:
    if selection is None or selection.is_all:
        return materializer.load(head, parts)
    return materializer.load_part(head, parts, selection)
