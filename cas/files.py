"""File blobs: one immutable file a blob, named by its digest, below 256 directories made at creation.

Invariant: a file under a digest's name holds exactly the bytes of that digest, durable, once the name is.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

from ..errors import BlobCorrupt, BlobMissing, InvalidDigest, StoreBroken
from .digest import Buffer, Digest, digest_of, digest_of_stream
from .durable import allocate, disk_errors, sync_directory, write_all
from .holds import Holds
from .mapping import map_privately
from .place import Extent, Volume, VolumeKind
from .process import ProcessStamp
from .progress import Stage
from .source import FileSource, Source, blocks

MAP_FROM_BYTES = 1024 * 1024
"""From this size on, mapping beats reading."""

_SHARDS = 256
_RESCUES_MAX = 100
_DIGEST_NAME = re.compile(r"[0-9a-f]{64}")
_LOST_HINT = "Run `lineal repair`; else run the step that made it again with caching off: that puts it back."
_DAMAGED_HINT = "Run `lineal repair`: it says how to make it again."


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
        with suppress(OSError):  # Then whoever opens the store once this process is dead clears it.
            self.path.unlink(missing_ok=True)


class BlobFiles:
    """The directories of file blobs, of packs and of scratch files, on one file system."""

    def __init__(self, root: Path) -> None:
        """Name the store directory; nothing is opened or made."""
        self._root = root
        self._blobs = root / "blobs"
        self._packs = root / "packs"
        self._scratch = root / "tmp"
        self._blobs_text, self._packs_text = str(self._blobs), str(self._packs)
        self._numbers = itertools.count()
        self._holds = Holds(self._scratch)
        self._suspects: set[Path] = set()
        """Names that a failed sync may have left without their bytes."""

    @property
    def root(self) -> Path:
        """The store directory."""
        return self._root

    def create(self) -> None:
        """Make the directories, durably; those that exist stay."""
        for directory in (self._scratch, self._packs, self._blobs):
            directory.mkdir(exist_ok=True)
        for shard in range(_SHARDS):
            (self._blobs / f"{shard:02x}").mkdir(exist_ok=True)
        sync_directory(self._blobs)
        sync_directory(self.root)

    def complete(self) -> None:
        """Make directories again that were lost on the way: tools that copy a store may leave out empty ones."""
        there = self._scratch.exists() and self._packs.exists() and self._blobs.exists()
        if not there or len(os.listdir(self._blobs)) < _SHARDS:
            self.create()

    def path(self, digest: Digest) -> Path:
        """Where this blob is, if it is a file."""
        return Path(self._path_text(digest))

    def _path_text(self, digest: Digest) -> str:
        # Made by hand: a save of thousands of files asks for several a file, and joining paths would take longer.
        name = digest.hex()
        return f"{self._blobs_text}/{name[:2]}/{name}"

    def has(self, digest: Digest, size_bytes: int) -> bool:
        """Whether a file of this digest and size is there: a stat, no look at the bytes."""
        try:
            return os.stat(self._path_text(digest)).st_size == size_bytes
        except FileNotFoundError:
            return False

    def volume_path(self, volume: Volume) -> Path:
        """Where a volume is."""
        return Path(self._volume_text(volume))

    def _volume_text(self, volume: Volume) -> str:
        if volume.kind is VolumeKind.BLOB:
            return self._path_text(volume.digest)
        return f"{self._packs_text}/{volume.digest.hex()}"

    def whole(self, digest: Digest, size_bytes: int) -> Extent:
        """A blob that is a file of its own, as its only extent."""
        return Extent(Volume(VolumeKind.BLOB, digest, size_bytes), 0, size_bytes)

    def has_volume(self, volume: Volume) -> bool:
        """Whether a volume is there with its size: a stat, no look at the bytes."""
        try:
            return os.stat(self._volume_text(volume)).st_size == volume.size_bytes
        except FileNotFoundError:
            return False

    def hold(self, volume: Volume) -> bool:
        """Keep a volume's bytes until `release`, even if it loses its name; tell whether it is there and durable."""
        path = self.volume_path(volume)
        return path not in self._suspects and self.has_volume(volume) and self._holds.hold(volume, path)

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

    def disown(self, volume: Volume, path: Path) -> None:
        """Let no hold on a volume bring back the bad file that is now at a path."""
        self._holds.disown(volume, path)

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
            raise missing(volume.digest, path, _noun(volume)) from error
        found_bytes = os.fstat(fd).st_size
        if found_bytes != volume.size_bytes:
            os.close(fd)
            raise corrupt(volume.digest, path, _size_text(found_bytes, volume.size_bytes), _noun(volume))
        return fd

    def scratch(self) -> Scratch:
        """A new scratch file, empty."""
        path = self._scratch_path()
        with disk_errors(path):
            try:
                return Scratch(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
            except FileNotFoundError as error:
                raise StoreBroken("the store's directory is gone", where=self.root, hint="Put it back.") from error

    def scratch_directory(self) -> Path:
        """A new directory for whatever; who asks for it removes it, else `clean_scratch` once this process is dead."""
        path = self._scratch_path()
        with disk_errors(path):
            path.mkdir(mode=0o700)
        return path

    def named_scratch(self, name: str) -> Path:
        """Where this process keeps a scratch file that others find by its name, which has no dot; it is not made.

        Who makes it removes it, else `clean_scratch` once this process is dead.
        """
        return self._scratch / f"{ProcessStamp.current().token}.{name}"

    def found_scratch(self, name: str) -> Path | None:
        """The scratch file of this name that whatever process keeps; None if there is none."""
        return next(self._scratch.glob(f"*.{name}"), None)

    def _scratch_path(self) -> Path:
        return self._scratch / f"{ProcessStamp.current().token}.{os.urandom(4).hex()}{next(self._numbers)}"

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

    def copy(self, volume: Volume, source: Source, stage: Stage | None = None) -> Scratch:
        """Write the bytes of a volume from a source to a scratch file. Raises `BlobCorrupt` if they are others."""
        scratch = self.scratch()
        scratch.volume = volume
        hasher = blake3()
        try:
            with disk_errors(scratch.path, volume.size_bytes):
                allocate(scratch.fd, volume.size_bytes)
                for block in blocks(source):
                    hasher.update(block)
                    write_all(scratch.fd, block, preallocate=False, stage=stage)
            if hasher.digest() != volume.digest:
                raise corrupt(volume.digest, self.volume_path(volume), "its bytes have another digest", _noun(volume))
        except BaseException:
            scratch.discard()
            raise
        return scratch

    def publish(self, scratches: Iterable[Scratch], known: Iterable[Volume]) -> None:
        """Make written scratch files, and held files that were found in place, durable under their names.

        The scratch files are held, too, before they get names that a collector could take from them again.
        A file found in place proves nothing about durability (its writer may not have synced yet), so it is synced too.
        After a failed fsync nothing is retried: the kernel may take the bytes for written. The scratch files are
        dropped, and what has a name already is not relied on: whoever puts it again writes it again.
        """
        scratches = list(scratches)
        known = list(known)
        names = [self.volume_path(scratch.volume) for scratch in scratches if scratch.volume is not None]
        names += [self.volume_path(volume) for volume in known]
        held: list[Volume] = []
        try:
            with disk_errors(self._blobs):
                self._make_durable(scratches, known, held)
        except BaseException:
            self._suspects.update(names)
            self.release(held)
            raise
        finally:
            for scratch in scratches:
                scratch.discard()
        self._suspects.difference_update(names)

    def _make_durable(self, scratches: Sequence[Scratch], known: Iterable[Volume], held: list[Volume]) -> None:
        directories: set[Path] = set()
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

    def _sync(self, volume: Volume) -> Path:
        path = self.volume_path(volume)
        fd = self._open_held(volume, path)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        return path.parent

    def _open_held(self, volume: Volume, path: Path) -> int:
        """Open a held volume, however often a collector takes its name away meanwhile."""
        for _ in range(_RESCUES_MAX):
            self._holds.rescue(volume, path)
            with suppress(FileNotFoundError):
                return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        raise missing(volume.digest, path)

    def read(self, digest: Digest) -> bytes:
        """The whole blob, verified."""
        fd = self._open(digest)
        try:
            data = _contents(fd, os.fstat(fd).st_size)
        finally:
            os.close(fd)
        self._verify(digest, digest_of(data))
        return bytes(data)

    def _open(self, digest: Digest) -> int:
        try:
            return os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise missing(digest, self.path(digest)) from error

    def view(self, digest: Digest, size_bytes: int, start: int = 0, stop: int | None = None) -> memoryview:
        """Writable private memory: small blobs are read and verified, large ones mapped after a check of the size."""
        fd = self._open(digest)
        try:
            found_bytes = os.fstat(fd).st_size
            if found_bytes != size_bytes:
                raise corrupt(digest, self.path(digest), _size_text(found_bytes, size_bytes))
            if size_bytes >= MAP_FROM_BYTES:
                return map_privately(fd, 0, size_bytes)[start:stop]
            data = _contents(fd, size_bytes)
        finally:
            os.close(fd)
        self._verify(digest, digest_of(data))
        return memoryview(data)[start:stop]

    def verify(self, digest: Digest, size_bytes: int) -> None:
        """Read every byte of a blob's own file, in constant memory. Raises `BlobMissing` or `BlobCorrupt`."""
        self.verify_volume(Volume(VolumeKind.BLOB, digest, size_bytes))

    def verify_volume(self, volume: Volume, stage: Stage | None = None) -> None:
        """Read every byte of a volume, in constant memory.

        Raises:
            BlobMissing: It is gone.
            BlobCorrupt: Its size or digest is another, or the disk can't read it.
        """
        path = self.volume_path(volume)
        try:
            with os.fdopen(self.open_volume(volume), "rb", buffering=0) as file:
                found = digest_of_stream(file, None if stage is None else stage.advance)
        except OSError as error:
            raise corrupt(volume.digest, path, f"it can't be read: {error.strerror}", _noun(volume)) from error
        if found != volume.digest:
            raise corrupt(volume.digest, path, f"its bytes have the digest {str(found)[:12]}…", _noun(volume))

    def named_files(self) -> Iterator[tuple[Path, Volume | None, int]]:
        """Every file among blobs and packs with its size, and the volume that its name says it is, if it is one."""
        shards = (self._blobs / f"{shard:02x}" for shard in range(_SHARDS))
        for kind, directory in ((VolumeKind.PACK, self._packs), *((VolumeKind.BLOB, shard) for shard in shards)):
            for path in sorted(directory.iterdir()) if directory.exists() else ():
                try:
                    size_bytes = path.stat().st_size
                except FileNotFoundError:
                    continue  # A collector was faster.
                yield path, self._volume_of(kind, path, size_bytes), size_bytes

    def _volume_of(self, kind: VolumeKind, path: Path, size_bytes: int) -> Volume | None:
        try:
            volume = Volume(kind, Digest.parse(path.name), size_bytes)
        except InvalidDigest:
            return None
        return volume if self.volume_path(volume) == path else None

    def volumes(self) -> Iterator[Volume]:
        """Every physical file that is there, blobs' own and packs, with its size; other files are passed over."""
        shards = (self._blobs / f"{shard:02x}" for shard in range(_SHARDS))
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
            if path.is_dir():
                import shutil  # Imported on use: it brings every kind of compression.

                shutil.rmtree(path, ignore_errors=True)
            else:
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


def missing(digest: Digest, path: Path, noun: str = "blob") -> BlobMissing:
    """The error of a blob, or a pack, whose file is gone."""
    return BlobMissing(f"{noun} {str(digest)[:12]}… is gone", where=path, hint=_LOST_HINT, digest=digest)


def corrupt(digest: Digest, path: Path, found: str, noun: str = "blob") -> BlobCorrupt:
    """The error of a blob, or a pack, whose bytes are not its own."""
    return BlobCorrupt(f"{noun} {str(digest)[:12]}… is damaged: {found}", where=path, hint=_DAMAGED_HINT, digest=digest)


def _noun(volume: Volume) -> str:
    return "pack" if volume.kind is VolumeKind.PACK else "blob"


def _contents(fd: int, size_bytes: int) -> bytearray:
    data = bytearray(size_bytes)
    FileSource(fd, size_bytes).read_into(0, memoryview(data))
    return data


def _size_text(found_bytes: int, size_bytes: int) -> str:
    return f"it has {found_bytes:,} bytes instead of {size_bytes:,}"
