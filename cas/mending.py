"""Mending: blobs that are damaged are put right from whatever else of the store holds their bytes.

Nothing is deleted: what is bad is moved to ``quarantine/``, under its kind, digest and the time. The order is that of
every write: copies are durable before the rows that name them, and only then are bad files moved away.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from ..errors import BlobCorrupt, BlobMissing, ManifestCorrupt
from .digest import Digest, digest_of
from .durable import disk_errors, move_durably, sync_directory, write_durably
from .environment import Changes, Environment
from .extents import ExtentReader
from .files import BlobFiles
from .manifest import INLINE_MAX_BYTES, Manifest
from .pack import PackWriter
from .place import (
    VOLUME_PREFIX_BYTES,
    WHOLE,
    BlobKind,
    Cut,
    Extent,
    Inline,
    Row,
    Volume,
    VolumeKind,
    bytes_in,
    decode_fields,
    decode_row,
    volumes_of,
)
from .reader import PlacedBlobs
from .source import digest_of_source
from .store import CATALOG, VOLUMES, BlobStore
from .verification import DamagedBlob, DamagedFile, Findings, sizes_said

QUARANTINE = "quarantine"
"""The directory of what was damaged, inside the store."""
_PACK_MAX_BYTES = 256 * 1024 * 1024
_MAGIC = Manifest("", "", None).encoded[:17]


@dataclass(slots=True)
class Mending:
    """What can be done about findings, and was, unless it was a trial."""

    restored: dict[Digest, str] = field(default_factory=dict)
    """Damaged blobs whose bytes were found, and where."""
    moved: list[Digest] = field(default_factory=list)
    """Sound blobs of damaged files, copied to new ones."""
    lost: list[DamagedBlob] = field(default_factory=list)
    quarantined: list[Path] = field(default_factory=list)
    """Where bad files and rows are now; on a trial, the bad files where they are."""
    index_rows: int = 0
    """Rows of the table of volumes put right."""


class _AnySize(BlobFiles):
    """Reads volumes whatever their size: what is left of a truncated one may hold whole blobs."""

    def open_volume(self, volume: Volume) -> int:
        try:
            return os.open(self.volume_path(volume), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise BlobMissing("a volume is gone", where=self.volume_path(volume)) from error


def mend(
    store: BlobStore, environment: Environment, findings: Findings, *, moment: str, is_trial: bool = False
) -> Mending:
    """Put right what can be, and move away what is bad.

    Args:
        store: Where; others may go on using it.
        environment: Its database.
        findings: What a verification of every byte has found.
        moment: A text for the time, for the names in quarantine.
        is_trial: Change nothing.
    """
    mender = _Mender(store, environment, findings, moment)
    mender.plan()
    if is_trial:
        mender.mending.quarantined = [file.path for file in findings.files]
    else:
        mender.execute()
    return mender.mending


class _Mender:
    def __init__(self, store: BlobStore, environment: Environment, findings: Findings, moment: str) -> None:
        self.mending = Mending()
        self._store = store
        self._files = store.files
        self._any_size = _AnySize(store.files.root)
        self._environment = environment
        self._findings = findings
        self._moment = moment
        self._raw: dict[Digest, bytes | None] = {}
        """The rows as they were when it was decided what becomes of them."""
        self._rows: dict[Digest, Row] = {}
        """New rows of blobs that are whole in a file."""
        self._copies: dict[Digest, tuple[Row, tuple[Extent, ...]]] = {}
        """Old rows of blobs to be copied out of bad files, and where their bytes are."""
        self._published: list[Volume] = []

    def plan(self) -> None:
        """Find out what can be put right."""
        bad = {file.volume for file in self._findings.files}
        for blob in self._findings.blobs.values():
            found = self._found(blob)
            if found is None:
                self.mending.lost.append(blob)
            else:
                self.mending.restored[blob.digest] = found
        for file in self._findings.files:
            for digest in file.blobs:
                if digest not in self._findings.blobs and digest not in self._copies:
                    self._copy(digest, bad)
        self.mending.index_rows = len(self._findings.volume_rows)

    def _found(self, blob: DamagedBlob) -> str | None:
        """Decide on a new row for a damaged blob, if its bytes are anywhere; say where."""
        digest = blob.digest
        (raw,) = self._store.committed([(CATALOG, digest)])
        self._raw[digest] = raw
        for kind in (VolumeKind.BLOB, VolumeKind.PACK):
            volume = self._sound_volume(kind, digest)
            if volume is not None:
                extent = Extent(volume, 0, volume.size_bytes)
                place = WHOLE if kind is VolumeKind.BLOB else Cut((extent,))
                self._rows[digest] = Row(self._kind_of(blob, (extent,)), volume.size_bytes, place)
                return str(self._files.volume_path(volume))
        return None if raw is None else self._found_by_row(blob, raw)

    def _sound_volume(self, kind: VolumeKind, digest: Digest) -> Volume | None:
        path = self._files.volume_path(Volume(kind, digest, 0))
        if not path.exists():
            return None
        volume = Volume(kind, digest, path.stat().st_size)
        return volume if self._is_sound(volume) else None

    def _found_by_row(self, blob: DamagedBlob, raw: bytes) -> str | None:
        """What is left of a row, or of the files it names, may still give bytes of the right digest."""
        data = bytes_in(raw)
        if len(data) <= INLINE_MAX_BYTES and digest_of(data) == blob.digest:
            self._rows[blob.digest] = Row(_kind_by_bytes(data), len(data), Inline(data))
            return "the row"
        try:
            row = decode_fields(blob.digest, raw)
        except BlobCorrupt:
            return None
        if not isinstance(row.place, Cut) or not self._reads_well(blob.digest, row.place.extents):
            return None
        size_bytes = sum(extent.size_bytes for extent in row.place.extents)
        mended = Row(self._kind_of(blob, row.place.extents), size_bytes, row.place)
        if all(self._files.has_volume(volume) for volume in row.place.volumes()):
            self._rows[blob.digest] = mended
            return "the row"
        self._copies[blob.digest] = mended, row.place.extents
        return "what is left of its files"

    def _copy(self, digest: Digest, bad: set[Volume]) -> None:
        """Decide to copy a sound blob out of a bad file."""
        (raw,) = self._store.committed([(CATALOG, digest)])
        if raw is None:
            return
        row = decode_row(digest, raw)
        if isinstance(row.place, Cut) and row.place.volumes() & bad:
            self._raw[digest] = raw
            self._copies[digest] = row, row.place.extents
            self.mending.moved.append(digest)

    def _reads_well(self, digest: Digest, extents: tuple[Extent, ...]) -> bool:
        try:
            with ExtentReader(self._any_size, extents) as reader:
                return digest_of_source(reader) == digest
        except (BlobCorrupt, BlobMissing, OSError):
            return False

    def _kind_of(self, blob: DamagedBlob, extents: tuple[Extent, ...]) -> BlobKind:
        """What a blob is, told by its bytes where its row can't be trusted: a manifest must stay one."""
        if blob.kind is BlobKind.MANIFEST:
            return blob.kind
        with ExtentReader(self._any_size, extents) as reader:
            head = bytearray(min(len(_MAGIC), reader.size_bytes))
            reader.read_into(0, memoryview(head))
            if head != _MAGIC:
                return BlobKind.BYTES
            data = bytearray(reader.size_bytes)
            reader.read_into(0, memoryview(data))
        return _kind_by_bytes(bytes(data))

    def execute(self) -> None:
        """Do what was decided; new packs are held until rows name them."""
        try:
            self._write_copies()
            self._switch_rows()
        finally:
            self._files.release(self._published)
        for file in self._findings.files:
            self._quarantine(file)

    def _switch_rows(self) -> None:
        rows = self._rows.items()
        self._files.secure({volume for digest, row in rows for volume in volumes_of(digest, row.size_bytes, row.place)})
        lost_rows = self._quarantine_rows()
        with self._environment.begin(write=True) as txn:
            changes = Changes(self._environment, txn)
            for volume in self._published:  # A collector may have taken them: nothing has named them so far.
                self._files.rescue(volume)
            for digest, row in self._rows.items():
                self._switch(changes, digest, row)
            for digest in lost_rows:
                self._switch(changes, digest, None)
            changes.flush()
            for key in self._disagreeing(changes, {*self._rows, *lost_rows}):
                self._agree(changes, key)
            changes.flush()

    def _write_copies(self) -> None:
        """Copy blobs out of bad files into new packs, durably, and decide on their rows."""
        packs: list[PackWriter] = []
        offsets: list[tuple[Digest, PackWriter, int]] = []
        try:
            for digest, (row, extents) in self._copies.items():
                if not packs or packs[-1].size_bytes >= _PACK_MAX_BYTES:
                    packs.append(PackWriter(self._files))
                offset = packs[-1].add(b"")
                with ExtentReader(self._any_size, extents) as reader:
                    packs[-1].add_from(reader, 0, row.size_bytes)
                offsets.append((digest, packs[-1], offset))
            volumes = {pack: pack.seal() for pack in packs}
            self._files.publish([pack.scratch for pack in packs], ())
            self._published += volumes.values()
        finally:
            for pack in packs:
                pack.scratch.discard()
        for digest, pack, offset in offsets:
            row = self._copies[digest][0]
            copied = row._replace(place=Cut((Extent(volumes[pack], offset, row.size_bytes),)))
            PlacedBlobs(self._files, lambda _: None).verify(digest, copied)
            self._rows[digest] = copied

    def _quarantine_rows(self) -> list[Digest]:
        """Keep what is left of rows that can't be read, or hold bytes that are not their blob's; give their digests."""
        kept: list[Digest] = []
        for blob in self.mending.lost:
            raw = self._raw[blob.digest]
            if raw is not None and (blob.has_damaged_row or isinstance(decode_row(blob.digest, raw).place, Inline)):
                names = self._quarantine_paths(f"row.{blob.digest}")
                target = next(path for path in names if not path.exists())
                write_durably(target, raw)
                self.mending.quarantined.append(target)
                kept.append(blob.digest)
        return kept

    def _switch(self, changes: Changes, digest: Digest, row: Row | None) -> None:
        """Put a new row in an old one's place, unless somebody has been faster."""
        raw = changes.get(CATALOG, digest)
        if raw != self._raw.get(digest):
            return
        try:
            old = None if raw is None else decode_row(digest, raw)
        except BlobCorrupt:
            old = None
        self._store.write_row(changes, digest, row, old)

    def _disagreeing(self, changes: Changes, digests: set[Digest]) -> Iterator[bytes]:
        """The keys of the table of volumes to be looked at: those found, and those of blobs with another row now."""
        yield from self._findings.volume_rows
        if digests:
            with changes.cursor(VOLUMES) as cursor:
                yield from [
                    key for key in map(bytes, cursor.iternext(values=False)) if key[VOLUME_PREFIX_BYTES:] in digests
                ]

    def _agree(self, changes: Changes, key: bytes) -> None:
        """Let the table of volumes say what the catalog says."""
        sizes = sizes_said(key, changes.get(CATALOG, key[VOLUME_PREFIX_BYTES:] or b"\0"))
        if sizes is None:
            return
        changes.delete(VOLUMES, key)
        for size_bytes in sizes:
            changes.put(VOLUMES, key, size_bytes.to_bytes(8, "big"))

    def _quarantine_paths(self, name: str) -> Iterator[Path]:
        """The names that something may have in quarantine: a second one of the same moment gets a number."""
        directory = self._files.root / QUARANTINE
        if not directory.exists():
            directory.mkdir(exist_ok=True)
            sync_directory(directory.parent)
        yield directory / f"{name}.{self._moment}"
        for number in count(2):
            yield directory / f"{name}.{self._moment}.{number}"

    def _quarantine(self, file: DamagedFile) -> None:
        """Move a bad file away, and let nobody who holds it give it its name back."""
        volume = file.volume
        if self._is_sound(volume):
            return  # Somebody put the bytes again meanwhile.
        name = f"{volume.kind.name.lower()}.{volume.digest}"
        with disk_errors(file.path):
            for target in self._quarantine_paths(name):
                try:
                    move_durably(file.path, target)
                except FileExistsError:
                    continue
                except FileNotFoundError:
                    return  # A collector or another repair was faster.
                self._files.disown(volume, target)
                self.mending.quarantined.append(target)
                return

    def _is_sound(self, volume: Volume) -> bool:
        try:
            self._files.verify_volume(volume)
        except (BlobCorrupt, BlobMissing):
            return False
        return True


def _kind_by_bytes(data: bytes) -> BlobKind:
    try:
        Manifest.decode(data)
    except ManifestCorrupt:
        return BlobKind.BYTES
    return BlobKind.MANIFEST
