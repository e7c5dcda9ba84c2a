"""Bytes by digest: the content-addressed store, which knows nothing of runs or Python values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .blob import Blob, BlobReader, BlobWriter, read_manifest, walk
from .content import Content
from .digest import Buffer, Digest, digest_of
from .environment import Changes, Environment
from .files import BlobFiles
from .manifest import BlobPart, Manifest, ManifestPart
from .place import BlobKind, Cut, Extent, Inline, Place, Row, Volume, VolumeKind, Whole
from .progress import Progress, reporting
from .reader import PlacedBlobs
from .restore import restore
from .store import CATALOG, DATABASES, VOLUMES, BlobStore
from .tree import FileEntry, LinkEntry, Tree

if TYPE_CHECKING:
    from .batch import Batch
    from .directory import put_directory, put_file
    from .memory import MemoryBlobs
    from .standalone import ContentStore

__all__ = [
    "CATALOG",
    "DATABASES",
    "VOLUMES",
    "Batch",
    "Blob",
    "BlobFiles",
    "BlobKind",
    "BlobPart",
    "BlobReader",
    "BlobStore",
    "BlobWriter",
    "Buffer",
    "Changes",
    "Content",
    "ContentStore",
    "Cut",
    "Digest",
    "Environment",
    "Extent",
    "FileEntry",
    "Inline",
    "LinkEntry",
    "Manifest",
    "ManifestPart",
    "MemoryBlobs",
    "Place",
    "PlacedBlobs",
    "Progress",
    "Row",
    "Tree",
    "Volume",
    "VolumeKind",
    "Whole",
    "digest_of",
    "put_directory",
    "put_file",
    "read_manifest",
    "reporting",
    "restore",
    "walk",
]


def __getattr__(name: str) -> Any:
    """Import on use what brings the whole of writing or of upkeep with it, so that looking at a store need not."""
    if name == "Batch":
        from .batch import Batch

        return Batch
    if name == "ContentStore":
        from .standalone import ContentStore

        return ContentStore
    if name == "MemoryBlobs":
        from .memory import MemoryBlobs

        return MemoryBlobs
    if name in {"put_directory", "put_file"}:
        from . import directory

        return getattr(directory, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
