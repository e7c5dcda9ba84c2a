"""Ingestion: files and streams on their way into scratch files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from blake3 import blake3

from .digest import Buffer, Digest
from .durable import write_all
from .files import BlobFiles, Scratch


def ingest_stream(files: BlobFiles, chunks: Iterable[Buffer]) -> tuple[Scratch, Digest, int]:
    """Write a stream to a scratch file; give its digest and size."""
    scratch, hasher, size_bytes = files.scratch(), blake3(), 0
    for chunk in chunks:
        write_all(scratch.fd, chunk, preallocate=False)
        hasher.update(chunk)
        size_bytes += memoryview(chunk).nbytes
    return scratch, Digest(hasher.digest()), size_bytes


def ingest_file(files: BlobFiles, path: Path) -> tuple[Scratch, Digest, int]:
    """Write a file's bytes to a scratch file; give their digest and size."""
    return ingest_stream(files, [path.read_bytes()])
