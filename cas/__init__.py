"""Bytes by digest: the content-addressed store, which knows nothing of runs or Python values."""

from .batch import Batch
from .blob import Blob, BlobKind, BlobReader, BlobWriter, read_manifest, walk
from .digest import Buffer, Digest, digest_of
from .environment import Changes, Environment
from .files import BlobFiles
from .manifest import BlobPart, Manifest, ManifestPart
from .memory import MemoryBlobs
from .store import CATALOG, BlobStore

__all__ = [
    "CATALOG",
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
    "Digest",
    "Environment",
    "Manifest",
    "ManifestPart",
    "MemoryBlobs",
    "digest_of",
    "read_manifest",
    "walk",
]
