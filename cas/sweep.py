"""Sweeping: taking rows out of the catalog, and files that no row names off the disk, beside writers and readers.

The order, which survives a crash at any point, and every weaker form of which loses data:

- A manifest's row goes before, or with, the rows of what it names. So a row of a manifest says that all below it is
  there, and that row is all that a commit without receipts has to look at.
- A file goes only in a transaction later than the one, durable by then, that took out the last row naming it, and
  under the write lock, after a look whether a row names it again. A commit looks at its files under the same lock, and
  puts back what it held.

So a crash leaves files without rows, which the next sweep finds, and never a row without its file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Protocol

from ..errors import BlobMissing, Corrupt
from .blob import read_manifest
from .compact import Waste, copy_live, move, wasteful
from .digest import Digest
from .environment import Changes
from .place import BlobKind, Inline, Place, Volume, VolumeKind, Whole, volumes_of
from .progress import Stage
from .store import BlobStore, Entry, users_of

BATCH = 128
"""How many rows, or files, go in one transaction: others wait to commit meanwhile."""
_LOOK = 1000


class Guard(Protocol):
    """Opens the transactions of a sweep and says, in each, what must stay after all."""

    def exclusively(self) -> AbstractContextManager[Changes]:
        """A write transaction, durable once the block has ended."""

    def spared(self, changes: Changes) -> Collection[Digest]:
        """The blobs that something holds, of those that nothing held when the sweep began."""

    def may_move(self, changes: Changes) -> bool:
        """Whether nobody can have rows that were read earlier and that can't be looked up once more."""


class Swept:
    """What a sweep took away, or would."""

    __slots__ = ("blobs", "compacted", "files", "freed_bytes")

    def __init__(self) -> None:
        self.blobs = 0
        """Rows of the catalog."""
        self.files = 0
        self.compacted = 0
        """Files of which only what is needed was kept, in a new one."""
        self.freed_bytes = 0
        """Bytes of files, and of blobs that were in the catalog itself."""

    def count_row(self, place: Place) -> None:
        """Count a row."""
        self.blobs += 1
        if isinstance(place, Inline):
            self.freed_bytes += len(place.data)

    def count_waste(self, waste: Waste) -> None:
        """Count a file that is compacted."""
        self.compacted += 1
        self.freed_bytes += waste.dead_bytes

    def count_file(self, volume: Volume) -> None:
        """Count a file."""
        self.files += 1
        self.freed_bytes += volume.size_bytes


def sweep(
    blobs: BlobStore,
    dead: Iterable[Entry],
    guard: Guard,
    *,
    before_us: int,
    record: Callable[[Changes, Sequence[Digest]], None] | None = None,
) -> Swept:
    """Take away blobs that nothing holds, then files that no row names.

    Args:
        blobs: The store.
        dead: The blobs, in any order.
        guard: Re-checks each of them under the write lock.
        before_us: A file that no row named from the outset goes only if it is older: a batch may be about to commit it.
            (A batch holds what it relies on, so it could put the file back; this saves it the trouble.)
        record: Called in the transaction that takes out rows, with whose they are.
    """
    swept, stage = Swept(), Stage("collecting")
    freed: list[Volume] = []
    waiting = list(in_order(blobs, dead))
    while waiting or freed:
        batch, waiting = waiting[:BATCH], waiting[BATCH:]
        with guard.exclusively() as changes:
            _remove(blobs, changes, freed, swept, stage)
            forgotten, freed = _forget(blobs, changes, batch, guard.spared(changes), swept)
            if record is not None and forgotten:
                record(changes, forgotten)
    for files in _batches(orphans(blobs, before_us), BATCH):
        with guard.exclusively() as changes:
            _remove(blobs, changes, files, swept, stage)
    return swept


def compact(blobs: BlobStore, guard: Guard, swept: Swept) -> None:
    """Copy what is needed out of files that are mostly not, and remove those."""
    for waste in wasteful(blobs):
        new = copy_live(blobs, waste)
        if new is None:
            continue
        try:
            with guard.exclusively() as changes:
                is_moved = guard.may_move(changes) and move(blobs, changes, waste, new)
        finally:
            blobs.files.release([new])
        with guard.exclusively() as changes:
            left = waste.volume if is_moved else new
            if not is_needed(blobs, changes, left):
                blobs.files.remove(left)
        if is_moved:
            swept.count_waste(waste)


def _forget(
    blobs: BlobStore, changes: Changes, batch: Iterable[Entry], spared: Collection[Digest], swept: Swept
) -> tuple[list[Digest], list[Volume]]:
    """Take out rows; give whose they were, and the files that they named."""
    forgotten: list[Digest] = []
    named: set[Volume] = set()
    for entry in batch:
        row = None if entry.digest in spared else blobs.row_in(changes, entry.digest)
        if row is not None:
            blobs.write_row(changes, entry.digest, None, row)
            swept.count_row(row.place)
            forgotten.append(entry.digest)
            named |= volumes_of(entry.digest, row.size_bytes, row.place)
    return forgotten, list(named)


def _remove(blobs: BlobStore, changes: Changes, files: Iterable[Volume], swept: Swept, stage: Stage) -> None:
    """Remove files that no row names. Invariant: the transaction has changed nothing yet."""
    for volume in files:
        if blobs.files.has_volume(volume) and not is_needed(blobs, changes, volume):
            blobs.files.remove(volume)
            swept.count_file(volume)
            stage.advance(volume.size_bytes)


def foreseen(blobs: BlobStore, dead: Collection[Entry], *, before_us: int, compacts: bool) -> Swept:
    """What `sweep`, and `compact` if wanted, would take away, did nobody else do anything meanwhile."""
    swept = Swept()
    leaving = {entry.digest for entry in dead}
    files = set(orphans(blobs, before_us))
    for entry in dead:
        swept.count_row(entry.place)
        files |= volumes_of(entry.digest, entry.size_bytes, entry.place)
    for volumes in _batches(files, _LOOK):
        with blobs.looked_at() as changes:
            for volume in volumes:
                if blobs.files.has_volume(volume) and not is_needed(blobs, changes, volume, leaving):
                    swept.count_file(volume)
    for waste in wasteful(blobs, leaving) if compacts else ():
        swept.count_waste(waste)
    return swept


def in_order(blobs: BlobStore, dead: Iterable[Entry]) -> Iterator[Entry]:
    """Manifests first, each before those that it names; of one that can't be read, nothing is known, so it is first."""
    entries = list(dead)
    manifests = {entry.digest: entry for entry in entries if entry.kind is BlobKind.MANIFEST}
    below = {digest: _named(blobs, digest, manifests) for digest in manifests}
    above = dict.fromkeys(manifests, 0)
    for children in below.values():
        for child in children:
            above[child] += 1
    ready = [digest for digest, count in above.items() if not count]
    while ready:
        digest = ready.pop()
        yield manifests[digest]
        for child in below[digest]:
            above[child] -= 1
            if not above[child]:
                ready.append(child)
    yield from (entry for entry in entries if entry.kind is not BlobKind.MANIFEST)


def _named(blobs: BlobStore, digest: Digest, manifests: Collection[Digest]) -> set[Digest]:
    try:
        return {part.digest for part in read_manifest(blobs, digest).named() if part.digest in manifests}
    except (BlobMissing, Corrupt):
        return set()


def orphans(blobs: BlobStore, before_us: int) -> Iterator[Volume]:
    """Files that no row names and that are older."""
    for volumes in _batches(blobs.files.volumes(), _LOOK):
        with blobs.looked_at() as changes:
            unneeded = [volume for volume in volumes if not is_needed(blobs, changes, volume)]
        for volume in unneeded:
            written_us = blobs.files.written_us(volume)
            if written_us is not None and written_us < before_us:
                yield volume


def is_needed(blobs: BlobStore, changes: Changes, volume: Volume, leaving: Collection[Digest] = ()) -> bool:
    """Whether a row names a file, the rows of those blobs aside that are about to leave."""
    if volume.kind is VolumeKind.BLOB and volume.digest not in leaving:
        row = blobs.row_in(changes, volume.digest)
        if row is not None and isinstance(row.place, Whole):
            return True
    return any(user not in leaving for user in users_of(changes, volume))


def _batches(volumes: Iterable[Volume], size: int) -> Iterator[list[Volume]]:
    remaining = iter(volumes)
    while batch := list(islice(remaining, size)):
        yield batch
