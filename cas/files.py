"""File blobs: one immutable file a blob, named by its digest, below 256 directories made at creation.

Invariant: a file under a digest's name holds exactly the bytes of that digest, durable, once the name is.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import BlobCorrupt, BlobMissing, StoreBroken
from .digest import Buffer, Digest, digest_of, digest_of_stream
from .durable import disk_errors, sync_directory, write_all
from .holds import Holds
from .mapping import map_privately
from .place import Extent, Volume, VolumeKind
from .process import ProcessStamp
from .progress import Stage

MAP_FROM_BYTES = 1024 * 1024
"""From this size on, mapping beats reading."""

_DIGEST_NAME = re.compile(r"[0-9a-f]{64}")
_LOST_HINT = "Run the step that made it again with caching off: that puts it back."
_DAMAGED_HINT = "Move that file away and run the step that made it again with caching off: that puts it back."


class Scratch:
    """A file on its way: open for reading and writing, without a digest's name yet."""

    __slots__ = ("fd", "path", "volume")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.volume: Volume | None = None
        """What it is to be, once its bytes are known."""

    def discard(self) -> None:
        """Drop the file; safe after publication too, when its name is gone."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        self.path.unlink(missing_ok=True)


class BlobFiles:
    """The directories of file blobs, of packs and of scratch files, on one file system."""

    def __init__(self, root: Path) -> None:
        """Name the store directory; nothing is opened or made."""
        self._blobs = root / "blobs"
        self._packs = root / "packs"
        self._scratch = root / "tmp"
        self._numbers = itertools.count()
        self._holds = Holds(self._scratch)

    @property
    def root(self) -> Path:
        """The store directory."""
        return self._blobs.parent

    def create(self) -> None:
        """Make the directories, durably; those that exist stay."""
        for directory in (self._scratch, self._packs, self._blobs):
            directory.mkdir(exist_ok=True)
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

    def volume_path(self, volume: Volume) -> Path:
        """Where a volume is."""
        if volume.kind is VolumeKind.BLOB:
            return self.path(volume.digest)
        return self._packs / volume.digest.hex()

    def whole(self, digest: Digest, size_bytes: int) -> Extent:
        """A blob that is a file of its own, as its only extent."""
        return Extent(Volume(VolumeKind.BLOB, digest, size_bytes), 0, size_bytes)

    def has_volume(self, volume: Volume) -> bool:
        """Whether a volume is there with its size: a stat, no look at the bytes."""
        try:
            return os.stat(self.volume_path(volume)).st_size == volume.size_bytes
        except FileNotFoundError:
            return False

    def hold(self, volume: Volume) -> bool:
        """Keep a volume's bytes until `release`, even if it loses its name; tell whether it is there."""
        return self.has_volume(volume) and self._holds.hold(volume, self.volume_path(volume))

    def release(self, volumes: Iterable[Volume]) -> None:
        """End one hold on each."""
        for volume in volumes:
            self._holds.release(volume)

    def rescue(self, volume: Volume) -> bool:
        """Give a held volume that has lost its name that name back, durably; tell whether it is there."""
        path = self.volume_path(volume)
        if not self._holds.rescue(volume, path):
            return False
        sync_directory(path.parent)
        return self.has_volume(volume)

    def secure(self, volumes: Iterable[Volume]) -> None:
        """Make durable the names that lead to files which this process doesn't hold.

        A collector took away what it held, and another process put the bytes back without having synced the name yet;
        or another process wrote them in the first place.
        """
        paths = ((volume, self.volume_path(volume)) for volume in volumes)
        for directory in {path.parent for volume, path in paths if not self._holds.is_at(volume, path)}:
            sync_directory(directory)

    def open_volume(self, volume: Volume) -> int:
        """A descriptor to read a volume from, its size checked. Raises `BlobMissing` or `BlobCorrupt`."""
        path = self.volume_path(volume)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise missing(volume.digest, path) from error
        found_bytes = os.fstat(fd).st_size
        if found_bytes != volume.size_bytes:
            os.close(fd)
            raise corrupt(volume.digest, path, _size_text(found_bytes, volume.size_bytes))
        return fd

    def scratch(self) -> Scratch:
        """A new scratch file, empty."""
        path = self._scratch / f"{ProcessStamp.current().token}.{os.urandom(4).hex()}{next(self._numbers)}"
        with disk_errors(path, 0):
            try:
                return Scratch(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
            except FileNotFoundError as error:
                raise StoreBroken("the store's directory is gone", where=self.root, hint="Put it back.") from error

    def write(self, digest: Digest, data: Buffer, stage: Stage | None = None) -> Scratch:
        """Write the bytes of a digest to a scratch file; `publish` gives it its name."""
        scratch = self.scratch()
        scratch.volume = Volume(VolumeKind.BLOB, digest, memoryview(data).nbytes)
        try:
            with disk_errors(scratch.path, memoryview(data).nbytes):
                write_all(scratch.fd, data, stage=stage)
        except BaseException:
            scratch.discard()
            raise
        return scratch

    def publish(self, scratches: Iterable[Scratch], known: Iterable[Volume]) -> None:
        """Make written scratch files, and held files that were found in place, durable under their names.

        The scratch files are held, too, before they get names that a collector could take from them again.
        A file found in place proves nothing about durability (its writer may not have synced yet), so it is synced too.
        After a failed fsync nothing is retried: the scratch files are dropped and the caller must put again.
        """
        scratches = list(scratches)
        directories: set[Path] = set()
        held: list[Volume] = []
        try:
            with disk_errors(self._blobs, 0):
                for scratch in scratches:
                    os.fsync(scratch.fd)
                for scratch in scratches:
                    assert scratch.volume is not None
                    self._holds.hold(scratch.volume, scratch.path)
                    held.append(scratch.volume)
                    target = self.volume_path(scratch.volume)
                    os.replace(scratch.path, target)
                    directories.add(target.parent)
                for volume in known:
                    directories.add(self._sync(volume))
                for directory in directories:
                    sync_directory(directory)
        except BaseException:
            self.release(held)
            raise
        finally:
            for scratch in scratches:
                scratch.discard()

    def _sync(self, volume: Volume) -> Path:
        path = self.volume_path(volume)
        self._holds.rescue(volume, path)
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError as error:
            raise missing(volume.digest, path) from error
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
            raise missing(digest, self.path(digest)) from error
        self._verify(digest, digest_of(data))
        return data

    def view(self, digest: Digest, size_bytes: int, start: int = 0, stop: int | None = None) -> memoryview:
        """Writable private memory: small blobs are read and verified, large ones mapped after a check of the size."""
        try:
            fd = os.open(self.path(digest), os.O_RDONLY)
        except FileNotFoundError as error:
            raise missing(digest, self.path(digest)) from error
        try:
            found_bytes = os.fstat(fd).st_size
            if found_bytes != size_bytes:
                raise corrupt(digest, self.path(digest), _size_text(found_bytes, size_bytes))
            if size_bytes >= MAP_FROM_BYTES:
                return map_privately(fd, 0, size_bytes)[start:stop]
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
            raise missing(digest, self.path(digest)) from error
        if found_bytes != size_bytes:
            raise corrupt(digest, self.path(digest), _size_text(found_bytes, size_bytes))
        self._verify(digest, found)

    def volumes(self) -> Iterator[Volume]:
        """Every physical file that is there, blobs' own and packs, with its size; other files are passed over."""
        shards = (self._blobs / f"{shard:02x}" for shard in range(256))
        for kind, directory in ((VolumeKind.PACK, self._packs), *((VolumeKind.BLOB, shard) for shard in shards)):
            with os.scandir(directory) as found:
                for file in found:
                    if _DIGEST_NAME.fullmatch(file.name):
                        with suppress(FileNotFoundError):
                            yield Volume(kind, Digest.parse(file.name), file.stat().st_size)

    def written_us(self, volume: Volume) -> int | None:
        """When a volume was written; None if it is not there."""
        try:
            return os.stat(self.volume_path(volume)).st_mtime_ns // 1000
        except FileNotFoundError:
            return None

    def remove(self, volume: Volume) -> None:
        """Remove a volume, if it is there; who has it open or mapped keeps it until the end."""
        self.volume_path(volume).unlink(missing_ok=True)

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
            raise corrupt(digest, self.path(digest), f"its bytes have the digest {str(found)[:12]}…")


def missing(digest: Digest, path: Path) -> BlobMissing:
    """The error of a blob whose file is gone."""
    return BlobMissing(f"blob {str(digest)[:12]}… is gone", where=path, hint=_LOST_HINT, digest=digest)


def corrupt(digest: Digest, path: Path, found: str) -> BlobCorrupt:
    """The error of a blob whose bytes are not its own."""
    return BlobCorrupt(f"blob {str(digest)[:12]}… is damaged: {found}", where=path, hint=_DAMAGED_HINT, digest=digest)


def _size_text(found_bytes: int, size_bytes: int) -> str:
    return f"it has {found_bytes:,} bytes instead of {size_bytes:,}"
