"""Reading a bundle: its table at once, events in order, and blobs, each checked against its digest."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from blake3 import blake3

from ..cas import Digest, digest_of
from ..cas.durable import disk_errors
from ..cas.progress import Stage
from ..errors import BundleCorrupt, NotABundle
from ..events.codec import EVENT_MAX_BYTES
from ..events.ids import StoreId
from .layout import HEADER_BYTES, MAGIC, Held, Placed, cut_short, placed, read_header, read_table

_READ_BYTES = 1024 * 1024
_LENGTH_BYTES = 4


class Bundle:
    """An open bundle; use it with ``with``. Nothing of it is mapped, so that a file cut short is an error."""

    def __init__(self, path: Path) -> None:
        """Open a file, and read what it says of itself.

        Raises:
            NotABundle: There is no such file, or it is something else.
            FormatTooNew: A newer version wrote it.
            BundleCorrupt: It is damaged, as far as is seen without its events and blobs.
        """
        self.path = path
        self._fd = _opened(path)
        try:
            with disk_errors(path):
                self.size_bytes = os.fstat(self._fd).st_size
                self._header, self.id = read_header(self._read_at(0, min(HEADER_BYTES, self.size_bytes)), path)
                self._read_table()
        except BaseException:
            os.close(self._fd)
            raise

    def _read_table(self) -> None:
        header = self._header
        events_begin = HEADER_BYTES + header.table_bytes
        blobs_begin = events_begin + header.events_bytes
        if header.size_bytes != self.size_bytes or blobs_begin > self.size_bytes:
            raise cut_short(self.path)
        encoded = self._read_at(HEADER_BYTES, header.table_bytes)
        if digest_of(encoded) != header.table:
            raise self._damaged("its table")
        self.table = read_table(encoded, self.path)
        self._events_begin = events_begin
        found, end = placed(blobs_begin, self.table.blobs)
        if end != self.size_bytes:
            raise cut_short(self.path)
        self.placed: dict[Digest, Placed] = {one.held.digest: one for one in found}
        """Where each blob is."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    @property
    def events(self) -> int:
        """How many events there are."""
        return self._header.events

    def bodies(self) -> Iterator[bytes]:
        """The events' bytes, in order. Raises `BundleCorrupt` at their end if they are not what was written."""
        place = self._events_begin
        end = place + self._header.events_bytes
        hasher, count, buffer = blake3(), 0, b""
        while buffer or place < end:
            if len(buffer) < _LENGTH_BYTES + EVENT_MAX_BYTES and place < end:
                piece = self._read_at(place, min(2 * _READ_BYTES, end - place))
                place += len(piece)
                hasher.update(piece)
                buffer += piece
            cut = 0
            while len(buffer) - cut >= _LENGTH_BYTES:
                length = int.from_bytes(buffer[cut : cut + _LENGTH_BYTES], "little")
                stop = cut + _LENGTH_BYTES + length
                if length > EVENT_MAX_BYTES or (place >= end and stop > len(buffer)):
                    raise self._damaged("an event")
                if stop > len(buffer):
                    break
                yield buffer[cut + _LENGTH_BYTES : stop]
                count += 1
                cut = stop
            if not cut and place >= end:
                raise self._damaged("an event")
            buffer = buffer[cut:]
        if count != self._header.events or hasher.digest() != self._header.stream:
            raise self._damaged("its events")

    def read(self, digest: Digest) -> bytes:
        """A whole blob, verified."""
        found = self.placed[digest]
        data = self._read_at(found.offset, found.held.size_bytes)
        if digest_of(data) != digest:
            raise self.blob_damaged(digest)
        return data

    def source(self, held: Held) -> BundleSource:
        """A blob as a source that is read at any place, unverified."""
        return BundleSource(self, self.placed[held.digest].offset, held.size_bytes)

    def verify_blobs(self, held: Iterable[Held]) -> None:
        """Read these blobs in constant memory. Raises `BundleCorrupt` where one is not what its digest says."""
        stage = Stage("checking")
        for one in held:
            hasher = blake3()
            place = self.placed[one.digest].offset
            end = place + one.size_bytes
            while place < end:
                piece = self._read_at(place, min(_READ_BYTES, end - place))
                hasher.update(piece)
                stage.advance(len(piece))
                place += len(piece)
            if hasher.digest() != one.digest:
                raise self.blob_damaged(one.digest)

    def verify_gaps(self) -> None:
        """Raise `BundleCorrupt` where there is anything between blobs but zeros."""
        end = self._events_begin + self._header.events_bytes
        for one in self.placed.values():
            if any(self._read_at(end, one.offset - end)):
                raise self._damaged("what fills it up")
            end = one.offset + one.held.size_bytes

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill the target with the file's bytes from an offset on."""
        filled = 0
        while filled < target.nbytes:
            count = os.preadv(self._fd, [target[filled:]], offset + filled)
            if count == 0:
                raise cut_short(self.path)
            filled += count

    def blob_damaged(self, digest: Digest) -> BundleCorrupt:
        """The error of a blob whose bytes are not its own."""
        return self._damaged(f"blob {str(digest)[:12]}…")

    def _read_at(self, offset: int, size_bytes: int) -> bytes:
        data = bytearray(size_bytes)
        self.read_into(offset, memoryview(data))
        return bytes(data)

    def _damaged(self, part: str) -> BundleCorrupt:
        return BundleCorrupt(f"the bundle is damaged in {part}", where=self.path, hint="Have it sent again.")


class BundleSource:
    """A blob in a bundle, read where it lies; as `cas.source.Source`."""

    def __init__(self, bundle: Bundle, offset: int, size_bytes: int) -> None:
        self._bundle = bundle
        self._offset = offset
        self.size_bytes = size_bytes

    def read_into(self, offset: int, target: memoryview) -> None:
        self._bundle.read_into(self._offset + offset, target)


def is_bundle(path: Path) -> bool:
    """Whether there is a regular file that begins as a bundle does."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _opened(path: Path) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise NotABundle(f"there is no bundle to be read: {error.strerror}", where=path, hint=_GIVE) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise NotABundle("a bundle is a file, and this is none", where=path, hint=_GIVE)
    return fd


_GIVE = "Give the path of a file that `lineal export` wrote."


def source_of(path: Path) -> StoreId:
    """The store that a bundle says it was written from. Raises as `Bundle` does."""
    with Bundle(path) as bundle:
        return bundle.table.store
