"""A batch: the blobs of one commit on their way to the disk.

Small blobs wait in memory for the transaction that will hold them, medium ones share a pack, large ones are files of
their own; and of a large one that succeeds another, only what is new goes to the pack. All become durable together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import BlobCorrupt, BlobMissing
from .blob import Blob
from .digest import Buffer, Digest, digest_of
from .durable import disk_errors
from .files import MAP_FROM_BYTES, BlobFiles, Scratch
from .ingest import digest_of_file, ingest_file, ingest_stream, opened
from .manifest import INLINE_MAX_BYTES, BlobPart
from .pack import PackWriter
from .place import WHOLE, BlobKind, Cut, Extent, Inline, Place, Volume, VolumeKind, volumes_of
from .progress import Stage
from .reader import Finder
from .source import BufferSource, FileSource, Source, digest_of_source
from .succession import Piece, digest_of_pieces, pieces_of, succeed, volumes_within

_OPEN_MAX = 64
_PACK_MAX_BYTES = 256 * 1024 * 1024


@dataclass(slots=True)
class _Pending:
    """A blob whose extents are known once its packs are sealed."""

    size_bytes: int
    kind: BlobKind
    pieces: list[Piece]


class Batch:
    """Collects blobs; use it as a context manager, so that a failure leaves no scratch file.

    A batch belongs to one thread.
    """

    def __init__(self, files: BlobFiles, find: Finder = lambda _: None) -> None:
        """Collect blobs for this directory; ``find`` knows those that are there already."""
        self._files = files
        self._find = find
        self._receipts: dict[Digest, Blob] = {}
        self._pending: dict[Digest, _Pending] = {}
        self._scratches: list[Scratch] = []
        self._known: list[Volume] = []
        self._held: set[Volume] = set()
        self._is_published = False
        self._stage = Stage("saving")
        self._packs: list[PackWriter] = []
        self._lone: tuple[Digest, bytes] | None = None
        """The first medium blob: it gets a file of its own, should no other extent come."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._discard()
        if error is not None or not self._is_published:
            self.drop()

    def _discard(self) -> None:
        if not self._scratches and not self._packs:
            return
        for scratch in (*self._scratches, *(pack.scratch for pack in self._packs)):
            scratch.discard()
        self._scratches.clear()
        self._packs.clear()

    def drop(self) -> None:
        """Forget all that was put, and leave nothing of it; what is put from then on is published as ever."""
        self._discard()
        for gathered in (self._receipts, self._pending, self._known):
            gathered.clear()
        self._lone = None
        self._files.release(self._held)
        self._held.clear()

    def put(
        self, data: Buffer, kind: BlobKind = BlobKind.BYTES, *, item_bytes: int = 1, after: Digest | None = None
    ) -> Digest:
        """Take C-contiguous bytes, which must not change until this returns; known ones cost only their hash."""
        view = memoryview(data)
        size_bytes = view.nbytes
        if size_bytes <= INLINE_MAX_BYTES:
            small = bytes(data)
            digest = digest_of(small)
            self._take(digest, size_bytes, kind, Inline(small))
            return digest
        digest = digest_of(data)
        with disk_errors(self._files.root, size_bytes):
            if self._is_taken(digest, size_bytes, kind):
                return digest
            if size_bytes < MAP_FROM_BYTES:
                self._put_medium(digest, bytes(data) if self._is_first() else data, kind)
            elif not self._succeed(digest, BufferSource(data), kind, item_bytes, after):
                self._put_scratch(self._files.write(digest, data, self._stage), digest, size_bytes, kind)
        return digest

    def put_source(self, source: Source, *, after: Digest | None = None) -> BlobPart:
        """Take bytes that can be read at any place, in constant memory; they must not change until this returns."""
        size_bytes = source.size_bytes
        if size_bytes < MAP_FROM_BYTES:
            data = bytearray(size_bytes)
            source.read_into(0, memoryview(data))
            return BlobPart(self.put(data), size_bytes)
        digest = digest_of_source(source)
        with disk_errors(self._files.root, size_bytes):
            if not self._is_taken(digest, size_bytes, BlobKind.BYTES) and not self._succeed(
                digest, source, BlobKind.BYTES, 1, after
            ):
                scratch = self._files.copy(Volume(VolumeKind.BLOB, digest, size_bytes), source, self._stage)
                self._put_scratch(scratch, digest, size_bytes, BlobKind.BYTES)
        return BlobPart(digest, size_bytes)

    def put_stream(self, chunks: Iterable[Buffer], *, after: Digest | None = None) -> BlobPart:
        """Take bytes as they come, in constant memory: they are written first, and dropped where they are known."""
        return self._put_ingested(*ingest_stream(self._files, chunks, self._stage), after)

    def put_file(self, path: Path | int, *, after: Digest | None = None) -> BlobPart:
        """Take the bytes of a regular file as they are now, in constant memory; a symbolic link is followed.

        One that succeeds another may well be the same, so it is read before anything is written.
        """
        with opened(path, follow_symlinks=True) as fd:
            if after is not None:
                digest, size_bytes = digest_of_file(fd)
                if self._is_taken(digest, size_bytes, BlobKind.BYTES) or self._succeed_file(
                    fd, digest, size_bytes, after
                ):
                    return BlobPart(digest, size_bytes)
            return self._put_ingested(*ingest_file(self._files, fd, self._stage), after)

    def _put_ingested(self, scratch: Scratch, digest: Digest, size_bytes: int, after: Digest | None) -> BlobPart:
        try:
            with disk_errors(self._files.root, size_bytes):
                is_kept = self._keep_ingested(scratch, digest, size_bytes, after)
        except BaseException:
            scratch.discard()
            raise
        if not is_kept:
            scratch.discard()
        return BlobPart(digest, size_bytes)

    def _keep_ingested(self, scratch: Scratch, digest: Digest, size_bytes: int, after: Digest | None) -> bool:
        """Take ingested bytes; tell whether their scratch file is to become the blob's."""
        source = FileSource(scratch.fd, size_bytes)
        if size_bytes < MAP_FROM_BYTES:
            self.put_source(source)
            return False
        if self._is_taken(digest, size_bytes, BlobKind.BYTES):
            return False
        if self._succeed(digest, source, BlobKind.BYTES, 1, after):
            return False
        scratch.volume = Volume(VolumeKind.BLOB, digest, size_bytes)
        self._put_scratch(scratch, digest, size_bytes, BlobKind.BYTES)
        return True

    def _is_taken(self, digest: Digest, size_bytes: int, kind: BlobKind) -> bool:
        """Whether the bytes are in this batch or in the store; if so, there is a receipt."""
        if digest in self._receipts or digest in self._pending:
            self._raise_kind(digest, kind)
            return True
        own = volumes_of(digest, size_bytes, WHOLE)
        if self._hold(own):
            self._known += own
            self._take(digest, size_bytes, kind, WHOLE)
            return True
        row = self._find(digest)
        volumes = set() if row is None else volumes_of(digest, size_bytes, row.place)
        was_held = volumes <= self._held
        if row is None or not self._hold(volumes):
            return False
        if not was_held and self._find(digest) != row:
            return False  # A collector was faster; what is there again may have a name that is not durable.
        self._take(digest, size_bytes, kind, row.place)
        return True

    def _hold(self, volumes: set[Volume]) -> bool:
        """Keep volumes until the commit is done; tell whether all are there."""
        for volume in volumes - self._held:
            if not self._files.hold(volume):
                return False
            self._held.add(volume)
        return True

    def _take(self, digest: Digest, size_bytes: int, kind: BlobKind, place: Place) -> None:
        if digest in self._receipts:
            self._raise_kind(digest, kind)
        else:
            self._receipts[digest] = Blob(digest, size_bytes, kind, place)

    def _raise_kind(self, digest: Digest, kind: BlobKind) -> None:
        receipt, pending = self._receipts.get(digest), self._pending.get(digest)
        if receipt is not None and kind > receipt.kind:
            self._receipts[digest] = receipt.replaced(kind=kind)
        if pending is not None:
            pending.kind = max(kind, pending.kind)

    def _put_scratch(self, scratch: Scratch, digest: Digest, size_bytes: int, kind: BlobKind) -> None:
        self._scratches.append(scratch)
        self._take(digest, size_bytes, kind, WHOLE)
        if len(self._scratches) >= _OPEN_MAX:
            self._publish(self._scratches)

    def _is_first(self) -> bool:
        return self._lone is None and not self._packs

    def _put_medium(self, digest: Digest, data: Buffer, kind: BlobKind) -> None:
        size_bytes = memoryview(data).nbytes
        if self._is_first():
            assert isinstance(data, bytes)
            self._lone = digest, data
            self._pending[digest] = _Pending(size_bytes, kind, [])
            return
        pack = self._pack()
        self._pending[digest] = _Pending(size_bytes, kind, [Piece(pack, pack.add(data), size_bytes)])
        self._stage.advance(size_bytes)

    def _pack(self) -> PackWriter:
        """The pack to write to; the medium blob that waited goes first."""
        if not self._packs or self._packs[-1].size_bytes >= _PACK_MAX_BYTES:
            self._packs.append(PackWriter(self._files))
        pack = self._packs[-1]
        if self._lone is not None:
            digest, data = self._lone
            self._pending[digest].pieces.append(Piece(pack, pack.add(data), len(data)))
            self._lone = None  # Only now: a blob without pieces must not be taken for one that has its bytes.
        return pack

    def _succeed(self, digest: Digest, new: Source, kind: BlobKind, item_bytes: int, after: Digest | None) -> bool:
        """Store only what the predecessor has not; not where there is none, or hardly anything is shared."""
        old = None if after is None or after == digest else self._predecessor(after)
        try:
            succession = None if old is None else succeed(self._files, new, old, item_bytes=item_bytes)
        except (BlobCorrupt, BlobMissing):
            return False  # The predecessor was collected, or has lost bytes; who reads it is told.
        if succession is None or not self._hold(volumes_within(succession)):
            return False
        if after is None or self._predecessor(after) != old:
            return False  # As in `_is_taken`.
        self._pending[digest] = _Pending(new.size_bytes, kind, pieces_of(succession, new, self._pack))
        self._stage.advance(new.size_bytes)
        return True

    def _succeed_file(self, fd: int, digest: Digest, size_bytes: int, after: Digest) -> bool:
        """As `_succeed`; but a file may change while it is read, so what came of it is read once more."""
        if size_bytes < MAP_FROM_BYTES:
            return False
        try:
            if not self._succeed(digest, FileSource(fd, size_bytes), BlobKind.BYTES, 1, after):
                return False
        except BlobCorrupt:
            return False  # The file has fewer bytes than it had.
        if digest_of_pieces(self._files, self._pending[digest].pieces) == digest:
            return True
        del self._pending[digest]
        return False

    def _predecessor(self, digest: Digest) -> tuple[Extent, ...] | None:
        row = self._find(digest)
        if row is None or isinstance(row.place, Inline):
            return None
        return row.place.extents if isinstance(row.place, Cut) else (self._files.whole(digest, row.size_bytes),)

    def publish(self) -> tuple[Blob, ...]:
        """Make everything durable and give the receipts of all that was put, for the commit that names it.

        What the receipts name stays there until the store hears that the commit's outcome is known.
        """
        if self._held or self._known or self._scratches or self._packs or self._lone is not None:
            with disk_errors(self._files.root):
                receipts = self._published()
        else:
            receipts = tuple(self._receipts.values())
        self._is_published = True
        return receipts

    def _published(self) -> tuple[Blob, ...]:
        if self._lone is not None:
            digest, data = self._lone
            scratch = self._files.write(digest, data)
            self._lone = None
            self._put_scratch(scratch, digest, len(data), self._pending.pop(digest).kind)
        for pack in self._packs:
            pack.seal()
        self._publish([*self._scratches, *(pack.scratch for pack in self._packs)])
        self._packs.clear()
        for digest, pending in self._pending.items():
            place = Cut(tuple(piece.extent() for piece in pending.pieces))
            self._receipts[digest] = Blob(digest, pending.size_bytes, pending.kind, place)
        self._pending.clear()
        self._release_unneeded()
        return tuple(self._receipts.values())

    def _release_unneeded(self) -> None:
        """End the holds that no receipt needs, as those on a predecessor that changed: nobody else will."""
        needed: set[Volume] = set()
        for blob in self._receipts.values():
            needed |= volumes_of(blob.digest, blob.size_bytes, blob.place)
        self._files.release(self._held - needed)
        self._held &= needed

    def _publish(self, scratches: list[Scratch]) -> None:
        """Make files durable; where that fails, nothing that rests on them was taken."""
        known, self._known, self._scratches = self._known, [], []
        if not scratches and not known:
            return
        try:
            self._files.publish(scratches, known)
            self._held.update(scratch.volume for scratch in scratches if scratch.volume is not None)
        except BaseException:
            self._receipts = {key: one for key, one in self._receipts.items() if isinstance(one.place, Inline)}
            self._pending.clear()
            self._lone = None
            for pack in self._packs:
                pack.scratch.discard()
            self._packs.clear()
            raise
