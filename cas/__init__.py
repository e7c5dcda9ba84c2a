"""Bytes by digest: the content-addressed store, which knows nothing of runs or Python values."""

from .batch import Batch
from .blob import Blob, BlobReader, BlobWriter, read_manifest, walk
from .digest import Buffer, Digest, digest_of
from .environment import Changes, Environment
from .files import BlobFiles
from .manifest import BlobPart, Manifest, ManifestPart
from .memory import MemoryBlobs
from .place import BlobKind, Cut, Extent, Inline, Place, Row, Volume, VolumeKind, Whole
from .progress import Progress, reporting
from .reader import PlacedBlobs
from .store import CATALOG, DATABASES, VOLUMES, BlobStore

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
    "Cut",
    "Digest",
    "Environment",
    "Extent",
    "Inline",
    "Manifest",
    "ManifestPart",
    "MemoryBlobs",
    "Place",
    "PlacedBlobs",
    "Progress",
    "Row",
    "Volume",
    "VolumeKind",
    "Whole",
    "digest_of",
    "read_manifest",
    "reporting",
    "walk",
]
