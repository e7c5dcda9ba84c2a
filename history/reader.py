"""What every view reads through: a store's rows, events and values as of one position."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgpack

from ..cas.blob import read_manifest
from ..cas.digest import Digest
from ..cas.manifest import Manifest
from ..errors import BlobCorrupt
from ..events.codec import Recorded
from ..events.projections import Artifacts, ContentNames
from ..events.projections.artifacts import newest_in
from ..events.projections.content_names import names_of
from ..events.rows import RowReader
from ..store import Store, now_us


class Reader:
    """Reads one store as of a position in its log, or as it is now."""

    __slots__ = ("_time_us", "allow_pickle", "store", "upto")

    def __init__(
        self, store: Store, upto: int | None = None, *, time_us: int | None = None, allow_pickle: bool = True
    ) -> None:
        """Read the store as it was after this event, at its time or at another, or as it is at each call."""
        self.store = store
        self.upto = upto
        self._time_us = time_us
        self.allow_pickle = allow_pickle

    @property
    def head_seq(self) -> int:
        """The last event that is seen."""
        return self.store.head().seq if self.upto is None else self.upto

    @property
    def sees_the_dead(self) -> bool:
        """Whether a run that reads as running may belong to a process that died since the store was opened."""
        return self.upto is None

    def at_present(self) -> Reader:
        """The same store as it is now."""
        return Reader(self.store, allow_pickle=self.allow_pickle)

    @property
    def now_us(self) -> int:
        """The time there: that which it looks from, that of the event it looks from, or the clock's."""
        if self.upto is None:
            return now_us()
        return self.event(self.upto).time_us if self._time_us is None else self._time_us

    def rows(self, projection: str) -> RowReader:
        """A projection's rows as of the position."""
        return self.store.rows(projection, self.upto)

    def names_of(self, content: Digest) -> list[tuple[str, int]]:
        """The names and numbers under which a content is a version, the first to have it first."""
        return names_of(self.rows(ContentNames.name), self.rows(Artifacts.name), content)

    def event(self, seq: int) -> Recorded:
        """The event at a position that a row has named."""
        return self.store.log.get(seq)

    def manifest(self, content: Digest) -> Manifest:
        """How a value is laid out. Raises `BlobMissing` where it is gone."""
        return read_manifest(self.store.blobs, content)

    def told(self, blob: Digest) -> dict[str, Any]:
        """What a blob tells of a run, by name. Raises `BlobMissing`, or `BlobCorrupt` where it holds something else."""
        data = self.store.blobs.read(blob)
        try:
            found = msgpack.unpackb(data, unicode_errors="surrogateescape")
            if isinstance(found, dict):
                return found
            fault = f"it holds a value of type {type(found).__name__}"
        except (ValueError, msgpack.UnpackException) as error:
            fault = str(error)
        raise BlobCorrupt(f"what is told of a run can't be read: {fault}", where=blob, hint="Run `lineal verify`.")


class ExclusiveReader(Reader):
    """Reads a store inside of its `exclusively`: nobody appends meanwhile, and nothing is waited for."""

    __slots__ = ()

    def __init__(self, store: Store) -> None:
        """Read what is committed."""
        super().__init__(store, store.log.head().seq)

    def rows(self, projection: str) -> RowReader:
        return self.store.rows_within(projection)


def newest_content(store: Store, artifact: str) -> Digest | None:
    """Content of an artifact's newest version, that which is on its way included; None if there is none."""
    return newest_in(store.rows(Artifacts.name), artifact)


def moment(time_us: int) -> datetime:
    """Microseconds since the epoch as an aware datetime in UTC."""
    return datetime.fromtimestamp(time_us / 1_000_000, UTC)
