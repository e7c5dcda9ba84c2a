"""The blob store: small blobs in the database, medium ones in packs, large ones in files, one way to read them all.

Invariant: a blob with a catalog row is there and durable; the row is written in the transaction that first names
the blob, after a look at its files under the write lock. So are the rows that say which blobs a volume holds a part of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from itertools import count, islice
from typing import TYPE_CHECKING, Any, cast

from ..errors import BlobCorrupt, BlobMissing, Corrupt
from ..immutable import Immutable
from .blob import Blob, BlobReader, read_manifest, walk
from .digest import DIGEST_BYTES, Digest
from .environment import Changes, Environment
from .files import BlobFiles, missing
from .manifest import INLINE_MAX_BYTES, BlobPart, Manifest, ManifestPart, has_no_parts
from .place import (
    BlobKind,
    Cut,
    Inline,
    Place,
    Row,
    Volume,
    VolumeKind,
    Whole,
    decode_row,
    encode_row,
    inline_in,
    is_inline_of,
    is_whole,
    volume_key,
    volumes_of,
)
from .reader import PlacedBlobs

if TYPE_CHECKING:
    import lmdb

    from .batch import Batch

CATALOG = "blobs"
"""The catalog's database inside the environment: a row a blob, under its digest."""
VOLUMES = "volumes"
"""The database that says which cut blobs have extents in which volume: see `volume_key`; the value is empty."""
DATABASES = (CATALOG, VOLUMES)

_SCAN_ROWS = 1000
_REMEMBERED_MAX, _REMEMBERED_PARTS_MAX, _REMEMBERED_ROW_MAX_BYTES = 16_384, 64, 1024
"""Of how many manifests, of how many parts at most, it is remembered what they name, with rows of which size."""


class Entry(Immutable):
    """What the catalog says of a blob."""

    digest: Digest
    size_bytes: int
    kind: BlobKind
    place: Place

    @property
    def is_inline(self) -> bool:
        """Whether the bytes are in the catalog."""
        return isinstance(self.place, Inline)


def stored_bytes(entries: Iterable[Entry]) -> int:
    """What blobs take together: in the catalog, and in files, of which each counts once."""
    inline_bytes = 0
    volumes: set[Volume] = set()
    for entry in entries:
        if entry.is_inline:
            inline_bytes += entry.size_bytes
        volumes |= volumes_of(entry.digest, entry.size_bytes, entry.place)
    return inline_bytes + sum(volume.size_bytes for volume in volumes)


class BlobStore:
    """Blobs by digest, in an environment and the files beside it. Threads may share it."""

    def __init__(self, environment: Environment, files: BlobFiles) -> None:
        """Use an environment that was opened with `DATABASES`."""
        self._env = environment
        self._files = files
        self._placed = PlacedBlobs(files, self.row)
        self._pending: dict[Digest, tuple[Row, int]] = {}
        self._announcements = count(1)
        self._named: dict[Digest, tuple[bytes | None, tuple[BlobPart | ManifestPart, ...]]] = {}
        """What manifests that were read name, all that is under them included, which is theirs for ever; and the rows
        of small ones, as they were when their bytes were verified."""
        self._last_cut: tuple[Digest, bytes, Row] | None = None
        """The cut row that was read last, as it is stored: a blob read piece by piece has it decoded but once."""

    @property
    def files(self) -> BlobFiles:
        """The files alone, for a process that has no business with the database."""
        return self._files

    def batch(self) -> Batch:
        """Start to put blobs."""
        return _kind_of_batch()(self._files, self.find)

    def read(self, digest: Digest) -> bytes:
        """The whole blob, verified against its digest."""
        pending = self._pending.get(digest)
        if pending is None:
            data = self._stored(digest)
            found = None if data is None else inline_in(digest, data)
            if found is not None:
                return found
        elif isinstance(pending[0].place, Inline):
            return pending[0].place.data  # It is in memory here as it was when it was digested.
        return self._placed.read(digest)  # It says what is wrong, too.

    def view(self, digest: Digest, size_bytes: int, start: int = 0, stop: int | None = None) -> memoryview:
        """The blob, or a part of it, as writable private memory, mapped copy-on-write where large."""
        return self._placed.view(digest, size_bytes, start, stop)

    def row(self, digest: Digest) -> Row | None:
        """What is known of a blob, that which is on its way included."""
        pending = self._pending.get(digest)
        if pending is not None:
            return pending[0]
        data = self._stored(digest)
        if data is None:
            return None
        last = self._last_cut
        if last is not None and last[:2] == (digest, data):
            return last[2]
        row = decode_row(digest, data)
        if isinstance(row.place, Cut):
            self._last_cut = digest, bytes(data), row
        return row

    def _stored(self, digest: Digest) -> bytes | None:
        """A blob's committed row, undecoded."""
        with self._env.begin() as txn:
            return cast("bytes | None", txn.get(digest, db=self._env.databases[CATALOG]))

    def find(self, digest: Digest) -> Row | None:
        """The same, if the blob's bytes are there as far as can be told without reading them."""
        return self._placed.find(digest)

    def row_in(self, changes: Changes, digest: Digest) -> Row | None:
        """A blob's row as a transaction sees it."""
        data = changes.get(CATALOG, digest)
        return None if data is None else decode_row(digest, data)

    def reader_in(self, changes: Changes) -> BlobReader:
        """Reads what a transaction sees."""
        return PlacedBlobs(self._files, partial(self.row_in, changes))

    @contextmanager
    def looked_at(self) -> Iterator[Changes]:
        """A short transaction that only looks."""
        with self._env.begin() as txn:
            yield Changes(self._env, txn)

    def rows_under(self, contents: Iterable[Digest]) -> dict[Digest, Row]:
        """What is known of these manifests and of all blobs under them, for a process without a database."""
        rows: dict[Digest, Row] = {}
        for content in contents:
            self._add_row(rows, content)
            try:
                for part in walk(self, read_manifest(self, content)):
                    self._add_row(rows, part.digest)
            except (BlobMissing, Corrupt):
                continue  # Whoever loads the value is told.
        return rows

    def _add_row(self, rows: dict[Digest, Row], digest: Digest) -> None:
        row = self.row(digest)
        if row is not None:
            rows[digest] = row

    def _stored_of(self, digests: Iterable[Digest]) -> dict[Digest, bytes | None]:
        """The same of many, in one transaction, so a page of them."""
        with self._env.begin() as txn:
            get: Callable[..., Any] = txn.get
            catalog = self._env.databases[CATALOG]
            return {digest: get(digest, db=catalog) for digest in digests}

    def holds(self, content: Digest) -> bool:
        """Whether a value can be loaded: its manifests read and every blob under them is there with its size."""
        return self._holds(content, self._stored(content))

    def held(self, contents: Iterable[Digest]) -> set[Digest]:
        """Those of a page of values that can be loaded, as `holds` says; for less than asking for each."""
        whole, named = set(), self._named
        for content, row in self._stored_of(contents).items():
            # Those that are remembered to be a manifest alone, as `_holds` would find in more steps.
            if (row is not None and named.get(content) == (row, ())) or self._holds(content, row):
                whole.add(content)
        return whole

    def recorded(self, blobs: Iterable[Blob]) -> set[Digest]:
        """Those of a page of blobs of whose receipts `record` would write nothing new, as things stand."""
        receipts = {blob.digest: blob for blob in blobs}
        return {
            digest
            for digest, row in self._stored_of(receipts).items()
            if row == encode_row(digest, _row_of(receipts[digest]))
        }

    def _holds(self, content: Digest, row: bytes | None) -> bool:
        try:
            seen: dict[Volume, bool] = {}
            for part in self._named_under(content, row):
                if isinstance(part, ManifestPart):
                    self.read(part.digest)
                elif not self._is_there(part.digest, part.size_bytes, seen):
                    return False
        except (BlobMissing, Corrupt):
            return False
        return True

    def _named_under(self, content: Digest, data: bytes | None) -> tuple[BlobPart | ManifestPart, ...]:
        """What a manifest names whose row this is, directly or through others.

        It is read, but decoded only where it was not before. Bytes that are those that were verified need no second
        look.
        """
        row, named = self._named.get(content, (None, None))
        if data is not None and named is not None and row == data:
            return named
        found = None if data is None else inline_in(content, data)
        encoded = self._placed.read(content) if found is None else found
        if named is None:
            named = () if has_no_parts(encoded) else tuple(walk(self, Manifest.decode(encoded)))
        if len(named) <= _REMEMBERED_PARTS_MAX:
            if len(self._named) >= _REMEMBERED_MAX:
                self._named.clear()
            is_small = found is not None and len(encoded) <= _REMEMBERED_ROW_MAX_BYTES
            self._named[content] = (data if is_small else None), named
        return named

    def _is_there(self, digest: Digest, size_bytes: int, seen: dict[Volume, bool]) -> bool:
        if size_bytes > INLINE_MAX_BYTES and self._files.has(digest, size_bytes):
            return True
        row = self.row(digest)
        return row is not None and row.size_bytes == size_bytes and self._placed.is_intact(digest, row, seen)

    def announce(self, blobs: Iterable[Blob]) -> int:
        """Let this process read blobs whose commit is on its way and that no file of their own holds.

        Gives the number under which they are on their way.
        """
        number = next(self._announcements)
        for blob in blobs:
            if not isinstance(blob.place, Whole):
                self._pending[blob.digest] = (_row_of(blob), number)
        return number

    def settle(self, blobs: Iterable[Blob], number: int) -> None:
        """End what `announce` and the batch's holds began, the commit having succeeded or failed."""
        for blob in blobs:
            pending = self._pending.get(blob.digest)
            if pending is not None and pending[1] == number:
                del self._pending[blob.digest]
        self.release(blobs)

    def release(self, blobs: Iterable[Blob]) -> None:
        """End the holds of a batch on blobs that another process has committed."""
        volumes: set[Volume] = set()
        for blob in blobs:
            if not isinstance(blob.place, Inline):
                volumes |= volumes_of(blob.digest, blob.size_bytes, blob.place)
        if volumes:
            self._files.release(volumes)

    def check(self, changes: Changes, blobs: Iterable[Blob], refs: Iterable[bytes]) -> None:
        """Refuse a commit whose blobs are not there; call it under the write lock, before the first write.

        Raises:
            BlobMissing: A receipt's file is gone, or a reference has neither receipt nor catalog row.
        """
        receipts = set()
        volumes: set[Volume] = set()
        seen: dict[Volume, bool] = {}
        for blob in blobs:
            receipts.add(blob.digest)
            if isinstance(blob.place, Inline) and len(blob.place.data) == blob.size_bytes:
                continue  # It rides in the commit, and no file has to be looked at.
            row = _row_of(blob)
            if not (self._placed.is_intact(blob.digest, row, seen) or self._is_rescued(blob.digest, row, seen)):
                raise self._missing(blob.digest)
            volumes |= volumes_of(blob.digest, blob.size_bytes, blob.place)
        if volumes:
            self._files.secure(volumes)
        for ref in refs:
            if ref not in receipts and changes.get(CATALOG, ref) is None:
                raise self._missing(Digest(ref))

    def _is_rescued(self, digest: Digest, row: Row, seen: dict[Volume, bool]) -> bool:
        """Whether what a collector took away meanwhile could be put back, since this process held it."""
        for volume in volumes_of(digest, row.size_bytes, row.place):
            seen[volume] = self._files.has_volume(volume) or self._files.rescue(volume)
        return self._placed.is_intact(digest, row, seen)

    def record(self, changes: Changes, blobs: Iterable[Blob]) -> None:
        """Write the catalog rows of checked blobs; a row that is there stays, unless it is damaged or says less."""
        for blob in blobs:
            known = changes.get(CATALOG, blob.digest)
            row = _row_of(blob)
            encoded = encode_row(blob.digest, row)
            if known is None and isinstance(blob.place, Inline):
                changes.put(CATALOG, blob.digest, encoded)
            elif known is None:
                self.write_row(changes, blob.digest, row, None)
            elif known != encoded:
                self._merge(changes, blob.digest, row, known)

    def _merge(self, changes: Changes, digest: Digest, row: Row, known: bytes) -> None:
        try:
            old = decode_row(digest, known)
        except BlobCorrupt:
            self.write_row(changes, digest, row, None)
            return
        row = row._replace(kind=max(row.kind, old.kind))
        is_damaged = isinstance(old.place, Inline) or not self._placed.is_intact(digest, old, {})
        if not is_damaged and not isinstance(row.place, Whole):
            row = row._replace(place=old.place)
        if row != old:
            self.write_row(changes, digest, row, old)

    def write_row(self, changes: Changes, digest: Digest, row: Row | None, old: Row | None) -> None:
        """Put a row in another's place, or take it out, and keep the table of volumes with it."""
        before = old.place.volumes() if old is not None and isinstance(old.place, Cut) else set()
        after = row.place.volumes() if row is not None and isinstance(row.place, Cut) else set()
        for volume in before - after:
            changes.delete(VOLUMES, volume_key(volume, digest))
        for volume in after - before:
            changes.put(VOLUMES, volume_key(volume, digest), volume.size_bytes.to_bytes(8, "big"))
        if row is None:
            changes.delete(CATALOG, digest)
        else:
            changes.put(CATALOG, digest, encode_row(digest, row))

    def entries(self) -> Iterator[Entry]:
        """All committed blobs, by digest, read in short transactions.

        Raises:
            BlobCorrupt: A row is damaged; `rows` goes on where this ends.
        """
        for key, data in self.rows():
            digest = Digest(key)
            row = decode_row(digest, data)
            yield Entry(digest, row.size_bytes, row.kind, row.place)

    def manifests_with(self, sought: Sequence[bytes]) -> Iterator[tuple[Digest, bytes]]:
        """The committed manifests in which one of these stands, wherever, each with its bytes; by digest.

        Cost: about a microsecond for each small blob of the store, whatever it is, and a read of each large manifest.

        Raises:
            BlobCorrupt: A row is damaged.
            BlobMissing: A large manifest is gone.
        """
        for key, data in self.rows():
            if is_inline_of(data, BlobKind.MANIFEST):
                if any(one in data for one in sought):
                    yield Digest(key), self.read(Digest(key))
            elif not is_inline_of(data, BlobKind.BYTES) and decode_row(key, data).kind is BlobKind.MANIFEST:
                encoded = self.read(Digest(key))
                if any(one in encoded for one in sought):
                    yield Digest(key), encoded

    def rows(self, database: str = CATALOG) -> Iterator[tuple[bytes, bytes]]:
        """The undecoded rows of the catalog or of the table of volumes, in order, read in short transactions."""
        start = b""
        while True:
            page = self._page(database, start)
            yield from page
            if len(page) < _SCAN_ROWS:
                return
            start = page[-1][0] + b"\0"

    def _page(self, database: str, start: bytes) -> list[tuple[bytes, bytes]]:
        with self._env.begin() as txn, txn.cursor(self._env.databases[database]) as cursor:
            found = cursor.set_range(start) if start else cursor.first()
            rows = cast("Iterator[tuple[bytes, bytes]]", cursor.iternext() if found else ())
            return list(islice(rows, _SCAN_ROWS))  # Copied out: transactions here give no buffers.

    def committed(self, places: Iterable[tuple[str, bytes]]) -> list[bytes | None]:
        """The undecoded values at these keys of these databases, as one moment saw them; None where there is none."""
        with self._env.begin() as txn:
            return [_value_at(txn, self._env.databases[database], key) for database, key in places]

    def blobs_in(self, volume: Volume) -> list[Digest]:
        """The blobs that have bytes in a volume: the one whose file it is, and those with extents in it."""
        blobs: list[Digest] = []
        with self.looked_at() as changes:
            if volume.kind is VolumeKind.BLOB and is_whole(changes.get(CATALOG, volume.digest)):
                blobs.append(volume.digest)
            blobs += [Digest(user) for user in _users(changes, volume) if len(user) == DIGEST_BYTES]
        return blobs

    def verify(self, digest: Digest) -> None:
        """Read every byte of a blob. Raises `BlobMissing` or `BlobCorrupt`."""
        row = self.row(digest)
        if row is None:
            raise self._missing(digest)
        self._placed.verify(digest, row)

    def _missing(self, digest: Digest) -> BlobMissing:
        return missing(digest, self._files.path(digest))


@cache
def _kind_of_batch() -> type[Batch]:
    from .batch import Batch  # Imported on use: who only looks at a store puts none.

    return Batch


def _row_of(blob: Blob) -> Row:
    """The row that a receipt is recorded as."""
    return Row(blob.kind, blob.size_bytes, blob.place)


def _value_at(txn: lmdb.Transaction, database: Any, key: bytes) -> bytes | None:
    """The value at any key that a scan may meet: in a damaged page there are some of no length."""
    if not key:
        with txn.cursor(database) as cursor:
            return bytes(cursor.value()) if cursor.first() and not cursor.key() else None
    found = txn.get(key, db=database)
    return None if found is None else bytes(found)


def users_of(changes: Changes, volume: Volume) -> Iterator[Digest]:
    """The blobs with extents in a volume, as a transaction sees them.

    Raises:
        BlobCorrupt: A key of the table of volumes is damaged.
    """
    for user in _users(changes, volume):
        if len(user) != DIGEST_BYTES:
            raise BlobCorrupt(
                "the table of volumes is damaged",
                where=volume.digest,
                hint="Run `lineal repair`.",
                digest=volume.digest,
            )
        yield Digest(user)


def _users(changes: Changes, volume: Volume) -> Iterator[bytes]:
    prefix = volume_key(volume)
    with changes.cursor(VOLUMES) as cursor:
        found = cursor.set_range(prefix)
        while found and (key := bytes(cursor.key())).startswith(prefix):
            yield key[len(prefix) :]
            found = cursor.next()
