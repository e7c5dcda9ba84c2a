"""The timeline: where the log was at a time.

Clocks step back, and processes commit in another order than that in which they looked at theirs. So the log has a
time of its own that never runs back: an event is as late as the latest of it and all before it. As of a time, the log
ends right before its first event that is later. Hence nothing later is ever seen, and once a later event is in the
log, what was the case at a time stays the same for ever. After a clock that was ahead, what follows is not seen by
time until real time has caught up; by position it is.

Kept is the latest time up to the end of each block of events: 8 bytes for 128 events, in one row that is checked
against the log when it is read, caught up behind the log, and no loss when it is gone.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from ..cas.digest import DIGEST_BYTES
from ..errors import LogCorrupt, StoreBroken, StoreFull
from .log import Changes, Database, Log
from .standing import META

if TYPE_CHECKING:
    import lmdb

_BLOCK_EVENTS = 128
_SAVED_BLOCKS = 128
"""How many new blocks are worth a commit; to read fewer takes a few milliseconds."""
_LAG_BLOCKS = 256
"""How many it may lack before whoever commits catches it up."""
_ROW = b"timeline"
_LARGEST_US = 2**63 - 1
_HEAD = struct.Struct(f"<I{DIGEST_BYTES}s")


class _Blocks(NamedTuple):
    """The latest time up to the end of each block, in µs."""

    latest_us: tuple[int, ...]
    chain: bytes
    """The log's chain hash at the end of the last block."""


class Timeline:
    """Finds positions by time in one log. Threads may share it."""

    def __init__(self, environment: Database, log: Log, gather: Callable[[lmdb.Transaction], Changes] | None) -> None:
        """Of this log; ``gather`` makes the changes of a write transaction, None where nothing may be written."""
        self._env = environment
        self._log = log
        self._gather = gather
        self._known: _Blocks | None = None

    def position(self, time_us: int, upto: int) -> int:
        """The last event before the first that is later than a time, of those up to a position; 0 if there is none.

        Cost: under a millisecond, and half a microsecond for each event since it was asked last.
        """
        latest_us = self._blocks(upto // _BLOCK_EVENTS).latest_us
        position = min(bisect_right(latest_us, time_us) * _BLOCK_EVENTS, upto)
        for event_us in self._log.times(position, min(upto, position + _BLOCK_EVENTS)):
            if event_us > time_us:
                break
            position += 1
        return position

    def limit_lag(self) -> None:
        """Catch up if many events have come, so that nobody waits for it. Cost: a lookup if not."""
        known = self._known or self._stored()
        wanted = self._log.head().seq // _BLOCK_EVENTS
        if wanted - len(known.latest_us) >= _LAG_BLOCKS:
            self._blocks(wanted)
        else:
            self._known = known

    def _blocks(self, wanted: int) -> _Blocks:
        """At least so many blocks, which must be complete."""
        known = self._known or self._stored()
        begun = len(known.latest_us)
        if begun < wanted:
            known = self._extended(known, wanted)
            if self._gather is not None and wanted - begun >= _SAVED_BLOCKS:
                with suppress(StoreFull, StoreBroken):  # It is found out again; what was asked is known.
                    self._save(known, self._gather)
        self._known = known
        return known

    def _extended(self, known: _Blocks, wanted: int) -> _Blocks:
        added = list(known.latest_us)
        latest_us = added[-1] if added else -_LARGEST_US
        times = self._log.times(len(added) * _BLOCK_EVENTS, wanted * _BLOCK_EVENTS)
        for number, event_us in enumerate(times, start=1):
            latest_us = max(latest_us, min(event_us, _LARGEST_US))
            if number % _BLOCK_EVENTS == 0:
                added.append(latest_us)
        return _Blocks(tuple(added), self._chain(len(added)))

    def _chain(self, blocks: int) -> bytes:
        return self._log.get(blocks * _BLOCK_EVENTS).chain

    def _stored(self) -> _Blocks:
        """What was kept, if it is whole and of this log."""
        with self._env.begin() as txn:
            row = txn.get(_ROW, db=self._env.databases[META])
        nothing = _Blocks((), b"")
        if row is None or len(row) < _HEAD.size or len(row) % 8 != _HEAD.size % 8:
            return nothing
        checksum, chain = _HEAD.unpack_from(row)
        packed = row[_HEAD.size :]
        if checksum != zlib.crc32(packed, zlib.crc32(chain)) or not packed:
            return nothing
        latest_us = struct.unpack(f"<{len(packed) // 8}q", packed)
        try:
            return _Blocks(latest_us, chain) if self._chain(len(latest_us)) == chain else nothing
        except LogCorrupt:  # The log is another one, and shorter.
            return nothing

    def _save(self, blocks: _Blocks, gather: Callable[[lmdb.Transaction], Changes]) -> None:
        packed = struct.pack(f"<{len(blocks.latest_us)}q", *blocks.latest_us)
        with self._env.begin(write=True) as txn:
            changes = gather(txn)
            changes.put(META, _ROW, _HEAD.pack(zlib.crc32(packed, zlib.crc32(blocks.chain)), blocks.chain) + packed)
            changes.flush()
