"""File blobs: one immutable file a blob, named by its digest, below 256 directories made at creation.

Invariant: a file under a digest's name holds exactly the bytes of that digest, durable, once the name is.
"""

from __future__ import annotations

import itertools
import mmap
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import BlobCorrupt, BlobMissing, StoreBroken
from .digest import Buffer, Digest, digest_of, digest_of_stream
from .durable import disk_errors, sync_directory, write_all
from .process import ProcessStamp

MAP_FROM_BYTES = 1024 * 1024
"""From this size on, mapping beats reading."""

_LOST_HINT = "Run the step that made it again with caching off: that puts it back."
_DAMAGED_HINT = "Move that file away and run the step that made it again with caching off: that puts it back."


class Scratch:
    """A written file that has no digest's name yet."""

    __slots__ = ("digest", "fd", "path")

    def __init__(self, digest: Digest, path: Path, fd: int) -> None:
        self.digest = digest
        self.path = path
        self.fd = fd

    def discard(self) -> None:
        """Drop the file; safe after publication too, when its name is gone."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        self.path.unlink(missing_ok=True)


class BlobFiles:
    """The directory of file blobs and the scratch directory beside it, on one file system."""

    def __init__(self, root: Path) -> None:
        """Name the store directory; nothing is opened or made."""
        self._blobs = root / "blobs"
        self._scratch = root / "tmp"
        self._numbers = itertools.count()

    @property
    def root(self) -> Path:
        """The store directory."""
        return self._blobs.parent

    def create(self) -> None:
        """Make the directories, durably; those that exist stay."""
        self._scratch.mkdir(exist_ok=True)
        self._blobs.mkdir(exist_ok=True)
        for shard in range(256):
            (self._blobs / f"{shard:02x}").mkdir(exist_ok=True)
        sync_directory(self._blobs)
        sync_directory(self.root)

    def path(self, digest: Digest) -> Path:
        """Where this blob is, if it is a file."""
        name = digest.hex()
        return self._blobs / name[:2] / name

    def has(self, digest: Digest, size_bytes: int) -> bool:
        """Whether a file of this digest and size is there: a stat, no look at the bytes."""
        try:
            return os.stat(self.path(digest)).st_size == size_bytes
        except FileNotFoundError:
            return False

    def write(self, digest: Digest, data: Buffer) -> Scratch:
        """Write the bytes of a digest to a scratch file; `publish` gives it its name."""
        size_bytes = memoryview(data).nbytes
        path = self._scratch / f"{ProcessStamp.current().token}.{os.urandom(4).hex()}{next(self._numbers)}"
        with disk_errors(path, size_bytes):
            if not self._scratch.exists():
                raise StoreBroken("the store's directory is gone", where=self.root, hint="Put it back.")
            scratch = Scratch(digest, path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444))
            try:
                write_all(scratch.fd, data)
            except BaseException:
                scratch.discard()
                raise
        return scratch

    def publish(self, scratches: Iterable[Scratch], known: Iterable[Digest]) -> None:
        """Make written scratch files, and files that were found in place, durable under their digests.

        A file found in place proves nothing about durability (its writer may not have synced yet), so it is synced too.
        After a failed fsync nothing is retried: the scratch files are dropped and the caller must put again.
        """
        scratches = list(scratches)
        directories: set[Path] = set()
        try:
            with disk_errors(self._blobs, 0):
                for scratch in scratches:
                    os.fsync(scratch.fd)
                for scratch in scratches:
                    target = self.path(scratch.digest)
                    os.replace(scratch.path, target)
                    directories.add(target.parent)
                for digest in known:
                    directories.add(self._sync(digest))
                for directory in directories:
                    sync_directory(directory)
        finally:
            for scratch in scratches:
                scratch.discard()

    def _sync(self, digest: Digest) -> Path:
        path = self.path(digest)
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError as error:
            raise self._missing(digest) from error
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        return path.parent

    def read(self, digest: Digest) -> bytes:
        """The whole blob, verified."""
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError as error:
            raise self._missing(digest) from error
        self._verify(digest, digest_of(data))
        return data

    def view(self, digest: Digest, size_bytes: int, start: int = 0, stop: int | None = None) -> memoryview:
        """Writable private memory: small blobs are read and verified, large ones mapped after a check of the size."""
        try:
            fd = os.open(self.path(digest), os.O_RDONLY)
        except FileNotFoundError as error:
            raise self._missing(digest) from error
        try:
            found_bytes = os.fstat(fd).st_size
            if found_bytes != size_bytes:
                raise self._corrupt(digest, f"it has {found_bytes:,} bytes instead of {size_bytes:,}")
            if size_bytes >= MAP_FROM_BYTES:
                return memoryview(mmap.mmap(fd, size_bytes, access=mmap.ACCESS_COPY))[start:stop]
            with os.fdopen(os.dup(fd), "rb", buffering=0) as file:
                data = bytearray(size_bytes)
                file.readinto(data)
        finally:
            os.close(fd)
        self._verify(digest, digest_of(data))
        return memoryview(data)[start:stop]

    def verify(self, digest: Digest, size_bytes: int) -> None:
        """Read every byte, in constant memory. Raises `BlobMissing` or `BlobCorrupt`."""
        try:
            with open(self.path(digest), "rb", buffering=0) as file:
                found_bytes = os.fstat(file.fileno()).st_size
                found = digest_of_stream(file)
        except FileNotFoundError as error:
            raise self._missing(digest) from error
        if found_bytes != size_bytes:
            raise self._corrupt(digest, f"it has {found_bytes:,} bytes instead of {size_bytes:,}")
        self._verify(digest, found)

    def clean_scratch(self) -> int:
        """Remove what dead processes of this host left behind; give their number."""
        removed = 0
        for path in self._leftovers():
            path.unlink(missing_ok=True)
            removed += 1
        return removed

    def _leftovers(self) -> Iterator[Path]:
        for path in self._scratch.iterdir():
            stamp = ProcessStamp.from_token(path.name.rpartition(".")[0])
            if stamp is not None and not stamp.is_alive():
                yield path

    def _verify(self, digest: Digest, found: Digest) -> None:
        if found != digest:
            raise self._corrupt(digest, f"its bytes have the digest {str(found)[:12]}…")

    def _missing(self, digest: Digest) -> BlobMissing:
        what = f"blob {str(digest)[:12]}… is gone"
        return BlobMissing(what, where=self.path(digest), hint=_LOST_HINT, digest=digest)

    def _corrupt(self, digest: Digest, found: str) -> BlobCorrupt:
        return BlobCorrupt(
            f"blob {str(digest)[:12]}… is damaged: {found}", where=self.path(digest), hint=_DAMAGED_HINT, digest=digest
        )
