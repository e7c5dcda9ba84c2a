"""Positions: where an event is by its id, and where a stream ends, as a write transaction sees the log.

What an append is held against must be looked up in the transaction that appends: before it, another process may be
faster. The index of streams, kept behind, says it of most of the log; what it lacks is read from the log itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import StreamMoved
from .codec import decode
from .ids import EventId
from .log import CHAIN_BYTES, EVENTS, Changes
from .projections.streams import Streams, id_key, stream_key
from .rows import newest_at
from .standing import META, decode_standing, standing_key

LAG_MAX_EVENTS = 256
"""How many events the index may lack: reading so many takes a millisecond, for which others wait to commit."""


class Positions:
    """Looks up positions in one write transaction, what it has appended itself by then included."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._database: str | None = None
        self._upto = 0
        self._ids: dict[bytes, int] = {}
        self._ends: dict[bytes, int] = {}
        standing = decode_standing(changes.get(META, standing_key(Streams.name)))
        if standing is not None and standing.version == Streams.version and standing.upto is not None:
            self._database, self._upto = standing.database, standing.upto
        self._read_tail()

    def of(self, event_id: EventId) -> int | None:
        """Where the event of this id is; None if the log has none."""
        self._follow()
        return self._ids.get(event_id) or self._indexed(id_key(event_id))

    def end_of(self, stream: bytes) -> int:
        """Where the last event of a stream is; 0 if it has none."""
        self._follow()
        return self._ends.get(stream) or self._indexed(stream_key(stream)) or 0

    def require(self, expected: Mapping[bytes, int]) -> None:
        """Raise `StreamMoved` if one of these streams does not end where it is expected to."""
        for stream, last in expected.items():
            found = self.end_of(stream)
            if found != last:
                raise StreamMoved(
                    f"a stream has gone on: its last event is {found}, not {last}",
                    where=stream.hex(),
                    hint="Read it again, decide anew, and retry.",
                    stream=stream,
                    expected=last,
                    found=found,
                )

    def _indexed(self, row_key: bytes) -> int | None:
        if self._database is None:
            return None
        with self._changes.cursor(self._database) as cursor:
            found = newest_at(cursor, row_key)
        return None if found is None else found.seq

    def _read_tail(self) -> None:
        """Read what the transaction found in the log and the index lacks."""
        with self._changes.cursor(EVENTS) as cursor:
            if cursor.set_range((self._upto + 1).to_bytes(8, "big")):
                for place, value in cursor:
                    self._take(int.from_bytes(place, "big"), bytes(value))

    def _follow(self) -> None:
        """Read what the transaction has appended since."""
        appended = self._changes.gathered(EVENTS)
        while (value := appended.get((self._upto + 1).to_bytes(8, "big"))) is not None:
            self._take(self._upto + 1, value)

    def _take(self, seq: int, value: bytes) -> None:
        recorded = decode(seq, value[:CHAIN_BYTES], value[CHAIN_BYTES:])
        self._upto = seq
        self._ids[recorded.raw_id] = seq
        if recorded.stream:
            self._ends[recorded.stream] = seq
