"""A content store on its own: bytes, files and directories by digest in one directory, without a log, runs or values.

What a label is on is kept, with all below it; the rest goes at the next collection.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType

from ..errors import BlobMissing, Conflict, Corrupt, Invalid, NotAStore
from .batch import Batch
from .blob import Blob, read_manifest, walk
from .compact import make_whole
from .digest import Buffer, Digest
from .directory import put_directory
from .durable import sync_directory
from .environment import Changes, Environment
from .files import BlobFiles
from .format import FORMAT_FILE, FormatFile, Known, read_format_file, write_format_file
from .locks import only_collector, only_creator
from .place import BlobKind
from .restore import restore
from .store import DATABASES, BlobStore, Entry
from .sweep import Swept, compact, sweep
from .tree import Tree
from .verification import Findings, verify_blobs

FORMAT_VERSION = 1
_CATALOG = "catalog"
_KNOWN = Known("lineal.cas", "content store", FORMAT_VERSION)
_KEPT = "kept"
_MAP_SIZE_BYTES = 256 << 30
_LABEL_MAX_BYTES = 500

_opened: set[tuple[int, int]] = set()
_opened_lock = threading.Lock()


class ContentStore:
    """A directory of content, open. Use it with ``with``, or close it; threads and processes may share the directory.

    Everything put is durable when the call returns.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a store; make it if the directory is missing or empty.

        Raises:
            NotAStore: The directory holds something else.
            FormatTooNew: A newer version wrote it.
            Conflict: This process has it open already.
        """
        self.path = Path(os.path.abspath(path))
        _create(self.path)
        state = os.stat(self.path)
        self._identity = state.st_dev, state.st_ino
        with _opened_lock:
            if self._identity in _opened:
                raise Conflict("this process has the store open", where=self.path, hint="Use the handle there is.")
            _opened.add(self._identity)
        try:
            self._env = _environment(self.path)
        except BaseException:
            _opened.discard(self._identity)
            raise
        self.blobs = BlobStore(self._env, BlobFiles(self.path))
        """The blobs alone."""
        self.blobs.files.complete()
        self.blobs.files.clean_scratch()

    def put(self, data: Buffer, *, after: Digest | None = None, label: str | None = None) -> Digest:
        """Store C-contiguous bytes; of those that succeed a blob, only what is new. Known ones cost only their hash."""
        with self.batch() as batch:
            digest = batch.put(data, after=after)
            batch.label(digest, label)
        return digest

    def put_stream(self, chunks: Iterable[Buffer], *, after: Digest | None = None, label: str | None = None) -> Digest:
        """Store bytes as they come, in constant memory."""
        with self.batch() as batch:
            digest = batch.put_stream(chunks, after=after).digest
            batch.label(digest, label)
        return digest

    def put_file(
        self, path: str | os.PathLike[str], *, after: Digest | None = None, label: str | None = None
    ) -> Digest:
        """Store the bytes of a regular file, in constant memory."""
        with self.batch() as batch:
            digest = batch.put_file(Path(path), after=after).digest
            batch.label(digest, label)
        return digest

    def put_directory(
        self, path: str | os.PathLike[str], *, after: Digest | None = None, label: str | None = None
    ) -> Digest:
        """Store a directory with everything below it, as a Merkle manifest; as `put_directory` of this room says."""
        with self.batch() as batch:
            previous = None if after is None else self._tree_or_none(after)
            digest = put_directory(batch, Path(path), after=previous).digest
            batch.label(digest, label)
        return digest

    @contextmanager
    def batch(self) -> Iterator[LabelledBatch]:
        """Put many blobs that become durable together, when the block ends."""
        with LabelledBatch(self.blobs) as batch:
            yield batch
            receipts = batch.publish()
        self._commit(receipts, batch.labels)

    def _commit(self, receipts: tuple[Blob, ...], labels: dict[bytes, Digest]) -> None:
        needed_bytes = sum(len(blob.inline or b"") for blob in receipts)
        try:
            with self._env.changing(needed_bytes) as changes:
                self.blobs.check(changes, receipts, labels.values())
                self.blobs.record(changes, receipts)
                for label, digest in labels.items():
                    changes.put(_KEPT, label, digest)
        finally:
            self.blobs.settle(receipts, 0)

    def read(self, digest: Digest) -> bytes:
        """The bytes, verified. Raises `BlobMissing` or `BlobCorrupt`."""
        return self.blobs.read(digest)

    def view(self, digest: Digest, start: int = 0, stop: int | None = None) -> memoryview:
        """The bytes, or a part of them, as writable private memory: mapped where large, and then not verified."""
        row = self.blobs.row(digest)
        if row is None:
            raise BlobMissing(f"blob {str(digest)[:12]}… is not here", where=self.path, digest=digest)
        return self.blobs.view(digest, row.size_bytes, start, stop)

    def tree(self, digest: Digest) -> Tree:
        """A stored directory, to look into. Raises `Invalid` if the digest is none of a directory."""
        row = self.blobs.row(digest)
        if row is not None and row.kind is not BlobKind.MANIFEST:
            raise Invalid("this is no directory", where=digest, hint="Give what put_directory returned.")
        return Tree(read_manifest(self.blobs, digest), self.blobs)

    def restore(self, digest: Digest, target: str | os.PathLike[str]) -> None:
        """Write a stored directory to a target that is not there yet; as `restore` of this room says."""
        restore(self.tree(digest), Path(target))

    def keep(self, label: str, digest: Digest) -> None:
        """Put a label on something that is stored, or move it there. Raises `BlobMissing` if it is not stored."""
        self._commit((), {_encoded(label): digest})

    def let_go(self, label: str) -> None:
        """Take a label away; one that is not there is no error."""
        with self._env.begin(write=True) as txn:
            txn.delete(_encoded(label), db=self._env.databases[_KEPT])

    def kept(self) -> dict[str, Digest]:
        """What each label is on."""
        return {label.decode(): Digest(digest) for label, digest in self.blobs.rows(_KEPT)}

    def collect(self, *, grace: timedelta = timedelta(hours=1)) -> Swept:
        """Free what no label holds, and the dead parts of packs.

        Args:
            grace: How old a file must be that nothing ever named: a batch may be about to commit it.

        Raises:
            Conflict: Another collection is under way.
            BlobMissing, Corrupt: A manifest that is kept can't be read, so that what it needs is not known.
        """
        with only_collector(self.path):
            self.blobs.files.clean_scratch()  # A dead writer's holds keep the bytes of what goes.
            guard = _Guard(self)
            with guard.exclusively() as changes:
                spared = set(guard.spared(changes))
            dead = [entry for entry in self.blobs.entries() if entry.digest not in spared]
            before_us = time.time_ns() // 1000 - grace // timedelta(microseconds=1)
            swept = sweep(self.blobs, dead, guard, before_us=before_us)
            compact(self.blobs, guard, swept)
            return swept

    def repack(self, digest: Digest) -> bool:
        """Give a blob a file of its own, so that it can be mapped; tell whether it had none."""
        return make_whole(self.blobs, digest, self.exclusively)

    def verify(self, *, is_quick: bool = False) -> Findings:
        """Read every byte, or only look at rows and sizes; as `verify_blobs` says."""
        return verify_blobs(self.blobs, is_quick=is_quick)

    def entries(self) -> Iterator[Entry]:
        """All blobs, by digest."""
        return self.blobs.entries()

    def exclusively(self) -> AbstractContextManager[Changes]:
        """A write transaction for upkeep, durable once the block has ended: nobody else commits while it is open."""
        return self._env.changing()

    def _tree_or_none(self, digest: Digest) -> Tree | None:
        try:
            return self.tree(digest)
        except (BlobMissing, Corrupt, Invalid):
            return None

    def close(self) -> None:
        """Let go of the store; closing twice is harmless."""
        self._env.close()
        _opened.discard(self._identity)

    def __enter__(self) -> ContentStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LabelledBatch(Batch):
    """A batch that also says which labels go on what it puts, in the same transaction."""

    def __init__(self, blobs: BlobStore) -> None:
        """Put into this store."""
        super().__init__(blobs.files, blobs.find)
        self.labels: dict[bytes, Digest] = {}

    def label(self, digest: Digest, label: str | None) -> None:
        """Put a label on a blob when the batch is committed."""
        if label is not None:
            self.labels[_encoded(label)] = digest


class _Guard:
    """Spares what labels are on, and all below it: labels are put on in the transaction that stores, or later."""

    def __init__(self, store: ContentStore) -> None:
        self._store = store
        self._spared: set[Digest] = set()

    def exclusively(self) -> AbstractContextManager[Changes]:
        return self._store.exclusively()

    def spared(self, changes: Changes) -> Collection[Digest]:
        reader = self._store.blobs.reader_in(changes)
        with changes.cursor(_KEPT) as cursor:
            kept = {Digest(bytes(digest)) for _, digest in cursor}
        for digest in kept - self._spared:
            self._spared.add(digest)
            row = self._store.blobs.row_in(changes, digest)
            if row is not None and row.kind is BlobKind.MANIFEST:
                self._spared.update(part.digest for part in walk(reader, read_manifest(reader, digest)))
        return self._spared

    def may_move(self, changes: Changes) -> bool:
        return True


def _encoded(label: str) -> bytes:
    data = label.encode()
    if not 0 < len(data) <= _LABEL_MAX_BYTES:
        raise Invalid(f"a label has 1 to {_LABEL_MAX_BYTES} bytes, not {len(data)}", hint="Choose another.")
    return data


def _environment(path: Path) -> Environment:
    return Environment(path / _CATALOG, (*DATABASES, _KEPT), map_size_bytes=_MAP_SIZE_BYTES, read_only=False)


def _create(path: Path) -> None:
    """Make the directory a store, FORMAT last; one that is a store already is only looked at."""
    place = path / FORMAT_FILE
    if not place.exists():
        path.mkdir(parents=True, exist_ok=True)
        own = {_CATALOG, "blobs", "packs", "tmp", FORMAT_FILE}
        foreign = sorted(
            name for name in os.listdir(path) if name not in own and not name.startswith(f".{FORMAT_FILE}")
        )
        if foreign:
            raise NotAStore(
                f"the directory is not empty and not a store; it holds {foreign[0]!r}",
                where=path,
                hint="Give an empty or a new directory.",
            )
        with only_creator(path):
            if not place.exists():
                (path / _CATALOG).mkdir(exist_ok=True)
                BlobFiles(path).create()
                _environment(path).close()
                for directory in (path / _CATALOG, path, path.parent):
                    sync_directory(directory)
                write_format_file(path, _KNOWN, FormatFile(FORMAT_VERSION))
    read_format_file(path, _KNOWN)
