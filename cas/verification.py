"""Verification of blobs: every row of the catalog, and every file, against the digest that names it.

What a catalog row says is checked first, then the table of volumes, then the directories; each file is hashed once,
whoever has bytes in it. Only where a file turns out to be bad is each of its blobs looked at alone.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, islice
from pathlib import Path
from typing import TypeVar

from ..errors import BlobCorrupt, BlobMissing, Corrupt, ManifestCorrupt
from ..immutable import Immutable
from .blob import read_manifest
from .digest import DIGEST_BYTES, Digest, digest_of
from .files import BlobFiles, corrupt, missing
from .manifest import BlobPart, ManifestPart
from .place import VOLUME_PREFIX_BYTES, BlobKind, Cut, Inline, Row, Volume, VolumeKind, Whole, decode_row, volume_key
from .progress import Stage
from .store import CATALOG, VOLUMES, BlobStore

_PAGE_ROWS = 1000
_THREADS_MAX = 8
"""Of a key in the table of volumes: the volume; the blob follows."""

_T = TypeVar("_T")

Fault = BlobCorrupt | BlobMissing | ManifestCorrupt


class DamagedBlob(Immutable):
    """A blob whose bytes are damaged or gone, or whose row is."""

    digest: Digest
    size_bytes: int | None
    """None where only its row knew."""
    kind: BlobKind
    error: Fault
    has_damaged_row: bool = False


class DamagedFile(Immutable):
    """A file that is there, with other bytes than those of its name."""

    path: Path
    volume: Volume
    error: Fault
    blobs: tuple[Digest, ...]
    """Those that have bytes in it, be they hurt or not."""


class Orphan(Immutable):
    """A file that no row names: left by a crash, or not yet committed."""

    path: Path
    size_bytes: int


class Findings:
    """What was found wrong with the blobs of a store."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, DamagedBlob] = {}
        self.files: list[DamagedFile] = []
        self.volume_rows: list[bytes] = []
        """Keys in the table of volumes at which it disagrees with the catalog."""
        self.orphans: list[Orphan] = []
        self.checked_blobs = 0


def verify_blobs(store: BlobStore, *, is_quick: bool, wanted: Iterable[tuple[Digest, BlobKind]] = ()) -> Findings:
    """Check every blob of a store, and that those wanted are among them.

    Quick: rows, sizes, manifests. Else every byte is read, on several cores, in constant memory; what writers commit
    and a collector removes meanwhile does no harm.
    """
    return _Verifier(store, is_quick).run(wanted)


def verify_files(files: BlobFiles) -> Findings:
    """Check every file against its name alone, where no catalog can be read."""
    found = Findings()
    for path, volume, _ in files.named_files():
        if volume is not None:
            try:
                files.verify_volume(volume)
            except (BlobCorrupt, BlobMissing) as error:
                found.files.append(DamagedFile(path, volume, error, ()))
    return found


class _Verifier:
    def __init__(self, store: BlobStore, is_quick: bool) -> None:
        self._store = store
        self._files = store.files
        self._is_quick = is_quick
        self._found = Findings()
        self._pool = ThreadPoolExecutor(min(os.cpu_count() or 1, _THREADS_MAX), "lineal-verify")
        self._jobs: deque[tuple[Volume, Future[Fault | None]]] = deque()
        self._stage = Stage("verifying")

    def run(self, wanted: Iterable[tuple[Digest, BlobKind]]) -> Findings:
        if not self._is_quick and self._stage.is_heard:
            self._stage = Stage("verifying", sum(size for *_, size in self._files.named_files()))
        try:
            for page in _pages(self._store.rows(CATALOG)):
                self._check_catalog(page)
            self._check_volumes()
            self._check_directories()
            for required in _pages(iter(wanted)):
                self._require(required)
            self._await_jobs(0)
        finally:
            self._pool.shutdown(cancel_futures=True)
        return self._found

    def _check_catalog(self, page: list[tuple[bytes, bytes]]) -> None:
        expected: dict[bytes, int] = {}
        named: list[tuple[bytes, BlobPart | ManifestPart]] = []
        for key, data in page:
            self._found.checked_blobs += 1
            try:
                row = decode_row(key, data)
                digest = Digest(key)
                self._check_row(digest, row)
                if isinstance(row.place, Cut):
                    expected |= {volume_key(one, digest): one.size_bytes for one in row.place.volumes()}
                if row.kind is BlobKind.MANIFEST:
                    named += ((key, part) for part in read_manifest(self._store, digest).named())
            except (BlobMissing, Corrupt) as error:
                self._suspect_row(key, data, error)
        self._check_volume_rows(expected)
        self._check_parts(named)

    def _check_row(self, digest: Digest, row: Row) -> None:
        match row.place:
            case Inline(data):
                is_sound = len(data) == row.size_bytes if self._is_quick else digest_of(data) == digest
                if not is_sound:
                    raise corrupt(digest, self._files.root, "its bytes in the catalog are others")
            case Whole():
                self._check_file(Volume(VolumeKind.BLOB, digest, row.size_bytes))
            case Cut(extents):
                is_inside = all(0 <= one.offset <= one.volume.size_bytes - one.size_bytes for one in extents)
                if not is_inside or sum(one.size_bytes for one in extents) != row.size_bytes:
                    raise corrupt(digest, self._files.root, "its extents do not fit their files")

    def _check_volume_rows(self, expected: dict[bytes, int]) -> None:
        found = self._store.committed((VOLUMES, key) for key in expected)
        for (key, size_bytes), value in zip(expected.items(), found, strict=True):
            if value != size_bytes.to_bytes(8, "big") and self._disagrees(key):
                self._found.volume_rows.append(key)

    def _check_parts(self, named: list[tuple[bytes, BlobPart | ManifestPart]]) -> None:
        """Check that what manifests name has a row, with the size that they say."""
        found = self._store.committed((CATALOG, part.digest) for _, part in named)
        for (manifest, part), data in zip(named, found, strict=True):
            if data is None and self._store.committed([(CATALOG, manifest)]) == [None]:
                continue  # Both were collected meanwhile.
            kind = BlobKind.MANIFEST if isinstance(part, ManifestPart) else BlobKind.BYTES
            size_bytes = part.size_bytes if isinstance(part, BlobPart) else None
            self._check_named(part.digest, kind, size_bytes, data)

    def _require(self, page: list[tuple[Digest, BlobKind]]) -> None:
        for (digest, kind), data in zip(
            page, self._store.committed((CATALOG, digest) for digest, _ in page), strict=True
        ):
            self._check_named(digest, kind, None, data)

    def _check_named(self, digest: Digest, kind: BlobKind, size_bytes: int | None, data: bytes | None) -> None:
        if data is None:
            error = missing(digest, self._files.path(digest))
            self._found.blobs.setdefault(digest, DamagedBlob(digest, size_bytes, kind, error))
            return
        try:
            row = decode_row(digest, data)
        except BlobCorrupt:
            return  # Found where all rows are.
        if size_bytes is not None and row.size_bytes != size_bytes:
            self._blame(digest, row, corrupt(digest, self._files.root, "a manifest says another size"))

    def _suspect_row(self, key: bytes, data: bytes, error: Exception) -> None:
        """Take a row that did not hold for damaged, unless it has changed meanwhile."""
        digest = Digest(key.ljust(DIGEST_BYTES, b"\0")[:DIGEST_BYTES])
        if self._store.committed([(CATALOG, key)]) != [data] or not isinstance(error, Fault):
            return
        try:
            self._blame(digest, decode_row(digest, data), error)
        except BlobCorrupt as damage:
            self._found.blobs[digest] = DamagedBlob(digest, None, BlobKind.BYTES, damage, has_damaged_row=True)

    def _blame(self, digest: Digest, row: Row, error: Fault) -> None:
        self._found.blobs[digest] = DamagedBlob(digest, row.size_bytes, row.kind, error)

    def _check_volumes(self) -> None:
        """Check the table of volumes, and the files that hold extents; those that are blobs too were met already."""
        for prefix, rows in groupby(self._store.rows(VOLUMES), lambda row: row[0][:VOLUME_PREFIX_BYTES]):
            sizes: set[int] = set()
            for page in _pages(rows):
                sizes |= self._check_extents(page)
            try:
                kind, digest = VolumeKind(prefix[0]), Digest(prefix[1:])
            except ValueError:
                continue  # The rows disagree with the catalog, and are told so.
            if kind is VolumeKind.BLOB:
                sizes -= self._size_of_whole(digest)
            for size_bytes in sizes:
                self._check_file(Volume(kind, digest, size_bytes))

    def _size_of_whole(self, digest: Digest) -> set[int]:
        (data,) = self._store.committed([(CATALOG, digest)])
        try:
            row = None if data is None else decode_row(digest, data)
        except BlobCorrupt:
            return set()
        return {row.size_bytes} if row is not None and isinstance(row.place, Whole) else set()

    def _check_extents(self, page: list[tuple[bytes, bytes]]) -> set[int]:
        """Check that the catalog agrees with rows of the table of volumes; give the sizes of those that hold."""
        sizes: set[int] = set()
        found = self._store.committed((CATALOG, key[VOLUME_PREFIX_BYTES:]) for key, _ in page)
        for (key, value), data in zip(page, found, strict=True):
            if _is_agreed(key, value, data):
                sizes.add(int.from_bytes(value, "big"))
            elif self._disagrees(key):
                self._found.volume_rows.append(key)
        return sizes

    def _disagrees(self, key: bytes) -> bool:
        """Look at both tables at one moment: whether only one of them says that a blob is in a volume."""
        value, data = self._store.committed([(VOLUMES, key), (CATALOG, key[VOLUME_PREFIX_BYTES:])])
        return not _is_agreed(key, value, data)

    def _check_file(self, volume: Volume) -> None:
        if self._is_quick:
            if not self._files.has_volume(volume):
                self._check_blobs_in(volume)
            return
        self._jobs.append((volume, self._pool.submit(self._hash, volume)))
        self._await_jobs(4 * _THREADS_MAX)

    def _hash(self, volume: Volume) -> Fault | None:
        try:
            self._files.verify_volume(volume, self._stage)
        except (BlobCorrupt, BlobMissing) as error:
            return error
        return None

    def _await_jobs(self, left: int) -> None:
        while len(self._jobs) > left:
            volume, job = self._jobs.popleft()
            error = job.result()
            if error is not None:
                self._check_blobs_in(volume, error)

    def _check_blobs_in(self, volume: Volume, error: Fault | None = None) -> None:
        """Look at each blob of a bad file alone: a damaged byte hurts only those whose extents hold it."""
        blobs = self._store.blobs_in(volume)
        for digest in blobs:
            self._check_blob(digest)
        path = self._files.volume_path(volume)
        if path.exists():
            why = error or corrupt(volume.digest, path, "its size is another")
            self._found.files.append(DamagedFile(path, volume, why, tuple(blobs)))

    def _check_blob(self, digest: Digest) -> None:
        (data,) = self._store.committed([(CATALOG, digest)])
        if data is None or digest in self._found.blobs:
            return
        try:
            self._store.verify(digest)
        except (BlobCorrupt, BlobMissing) as error:
            self._suspect_row(digest, data, error)

    def _check_directories(self) -> None:
        for path, volume, size_bytes in self._files.named_files():
            if volume is not None and self._store.blobs_in(volume):
                continue
            self._found.orphans.append(Orphan(path, size_bytes))
            if volume is not None and not self._is_quick:
                self._jobs.append((volume, self._pool.submit(self._hash, volume)))
                self._await_jobs(4 * _THREADS_MAX)


def _is_agreed(key: bytes, value: bytes | None, data: bytes | None) -> bool:
    """Whether a row of the table of volumes, or its absence, is what a catalog row says; a damaged one says nothing."""
    said = set() if value is None else {int.from_bytes(value, "big") if len(value) == 8 else -1}
    return sizes_said(key, data) in (said, None)


def sizes_said(key: bytes, data: bytes | None) -> set[int] | None:
    """The sizes, one at most, that a catalog row gives to the volume of a key; None where it can't be read.

    The key is one of the table of volumes; no row says none.
    """
    if data is None:
        return set()
    try:
        place = decode_row(key[VOLUME_PREFIX_BYTES:], data).place
    except BlobCorrupt:
        return None
    volumes = place.volumes() if isinstance(place, Cut) else set()
    return {one.size_bytes for one in volumes if volume_key(one) == key[:VOLUME_PREFIX_BYTES]}


def _pages(rows: Iterator[_T]) -> Iterator[list[_T]]:
    """The rows, so many at a time."""
    while page := list(islice(rows, _PAGE_ROWS)):
        yield page
