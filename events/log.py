"""The log: the append-only total order of events, and the chain that makes a change to it visible.

Row: key is the sequence number in 8 bytes big-endian, value ``chain hash (32 bytes) ‖ event bytes``,
with ``chain = BLAKE3(previous chain ‖ event bytes)`` and 32 zero bytes before the first event.
Invariant: sequence numbers are dense; commit order is sequence order, so whoever follows the log misses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from blake3 import blake3

from ..errors import LogCorrupt
from .codec import Envelope, EnvelopeReader, Recorded, decode, time_us_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import lmdb

EVENTS = "events"
"""The log's database inside the environment."""

CHAIN_BYTES = 32
GENESIS = bytes(CHAIN_BYTES)
_SCAN_EVENTS = 1000


class Database(Protocol):
    """What the log and its projections need of the environment that holds them."""

    databases: Mapping[str, Any]

    @property
    def data_file(self) -> Path:
        """The file that has it all."""

    def begin(self, *, write: bool = False, needed_bytes: int = 0) -> AbstractContextManager[lmdb.Transaction]:
        """A short transaction on this thread, whose errors are ours."""


class Gathered(Protocol):
    """Where rows go: they are gathered, and put later."""

    def gathered(self, database: str) -> dict[bytes, bytes]:
        """What is to be put into a database by then, to be added to."""

    def cursor(self, database: str) -> lmdb.Cursor:
        """A cursor over what is in a database already."""


class Changes(Gathered, Protocol):
    """What the log and its projections need of a write transaction: puts are handed over at its end."""

    def put(self, database: str, key: bytes, value: bytes) -> None:
        """Put a value under a key."""

    def get(self, database: str, key: bytes) -> bytes | None:
        """The value as it will be."""

    def delete(self, database: str, key: bytes) -> None:
        """Take a key and its value out, if it is there."""

    def flush(self) -> None:
        """Hand over what is gathered."""


class Head(NamedTuple):
    """A place in the log: remember it, and any later change to what came before can be shown."""

    seq: int
    """Sequence number of the event there; 0 before the first."""
    chain: bytes
    """Chain hash over it and all before it."""


class Log:
    """The events of a store, in an environment opened with the `EVENTS` database."""

    def __init__(self, environment: Database) -> None:
        """Read and append in this environment."""
        self._env = environment

    def head(self) -> Head:
        """The end of the log as committed."""
        with self._env.begin() as txn, txn.cursor(self._env.databases[EVENTS]) as cursor:
            return _head(cursor)

    def get(self, seq: int) -> Recorded:
        """The event at this position, which must exist."""
        value = self._stored(seq)
        return decode(seq, value[:CHAIN_BYTES], value[CHAIN_BYTES:])

    def get_all(self, seqs: Sequence[int]) -> list[Recorded]:
        """The events at these positions, which must exist, with their bytes; in one transaction, so a page of them."""
        with self._env.begin() as txn:
            database = self._env.databases[EVENTS]
            values = [txn.get(_place(seq), db=database) for seq in seqs]
        found = []
        for seq, value in zip(seqs, values, strict=True):
            if value is None:
                raise _gone(seq)
            recorded = decode(seq, bytes(value[:CHAIN_BYTES]), body := bytes(value[CHAIN_BYTES:]))
            recorded.body = body
            found.append(recorded)
        return found

    def body(self, seq: int) -> bytes:
        """The bytes of the event at this position, which must exist."""
        return self._stored(seq)[CHAIN_BYTES:]

    def _stored(self, seq: int) -> bytes:
        with self._env.begin() as txn:
            value = txn.get(_place(seq), db=self._env.databases[EVENTS])
        if value is None:
            raise _gone(seq)
        return bytes(value)

    def stored(self, after: int = 0, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
        """As `scan`, undecoded: each event's chain hash and bytes, as they are in the row."""
        return self._values(after, upto)

    def scan(self, after: int = 0, upto: int | None = None) -> Iterator[Recorded]:
        """The events after one position, up to and with another, oldest first.

        Reads in short transactions, so a slow caller pins nothing and sees what is appended meanwhile.
        """
        for seq, value in self._values(after, upto):
            yield decode(seq, value[:CHAIN_BYTES], value[CHAIN_BYTES:])

    def marked(self, marks: Collection[bytes], after: int = 0, upto: int | None = None) -> Iterator[Recorded]:
        """As `scan`, but only events with one of these byte strings in them; the others are not decoded."""
        for seq, value in self._values(after, upto):
            if any(mark in value for mark in marks):
                yield decode(seq, value[:CHAIN_BYTES], value[CHAIN_BYTES:])

    def times(self, after: int, upto: int) -> Iterator[int]:
        """When each event after a position, up to and with another, was recorded, in µs; in the log's order."""
        while after < upto:
            page_events = min(_SCAN_EVENTS, upto - after)
            with self._env.begin() as txn, txn.cursor(self._env.databases[EVENTS]) as cursor:
                if not cursor.set_range((after + 1).to_bytes(8, "big")):
                    return
                page = [time_us_of(value, CHAIN_BYTES) for value in islice(_values(cursor), page_events)]
            yield from page
            if len(page) < page_events:
                return
            after += page_events

    def envelopes(self, after: int, decoded: Container[str] = ()) -> Iterator[Envelope]:
        """The events after a position without their payloads, those of the types to be decoded excepted."""
        read = EnvelopeReader(decoded).read
        for seq, value in self._values(after, None):
            yield read(seq, value[CHAIN_BYTES:])

    @staticmethod
    def appended(changes: Changes, after: int, decoded: Container[str] = ()) -> list[Envelope]:
        """As `envelopes`, of what a write transaction sees: all there is while it lasts."""
        read = EnvelopeReader(decoded).read
        with changes.cursor(EVENTS) as cursor:
            if not cursor.set_range((after + 1).to_bytes(8, "big")):
                return []
            return [read(int.from_bytes(key, "big"), bytes(value[CHAIN_BYTES:])) for key, value in cursor]

    def _values(self, after: int, upto: int | None) -> Iterator[tuple[int, bytes]]:
        while upto is None or after < upto:
            page_events = _SCAN_EVENTS if upto is None else min(_SCAN_EVENTS, upto - after)
            with self._env.begin() as txn, txn.cursor(self._env.databases[EVENTS]) as cursor:
                seqs, rows = _page(cursor, after, page_events)
            if upto is not None and seqs and seqs[-1] > upto:  # Some between are gone.
                yield from takewhile(lambda stored: stored[0] <= upto, zip(seqs, rows, strict=True))
                return
            yield from zip(seqs, rows, strict=True)  # One by one: a list of pairs would be garbage to be collected.
            if len(rows) < page_events:
                return
            after = seqs[-1]

    def chains(self, after: int, count: int) -> list[bytes]:
        """The chain hashes of so many events after a position, as they are stored; read in one short transaction.

        Raises:
            LogCorrupt: There are fewer.
        """
        with self._env.begin() as txn, txn.cursor(self._env.databases[EVENTS]) as cursor:
            rows = islice(_values(cursor), count) if cursor.set_range(_place(after + 1)) else ()
            chains = [value[:CHAIN_BYTES] for value in rows]
            if len(chains) == count and (count == 0 or cursor.key() == _place(after + count)):
                return chains
        raise LogCorrupt(
            f"of the events {after + 1:,} to {after + count:,} some are gone", hint="Restore the log from a copy."
        )

    def verify(self, after: int = 0, advance: Callable[[int], None] | None = None) -> Head:
        """Recompute the chain from one position to the end, and give the end; ``advance`` hears of bytes as they go.

        Reads in short transactions and bounded memory, about 700,000 events of 300 bytes a second.

        Raises:
            LogCorrupt: An event was changed, dropped, added or moved; ``seq`` says which one is the first.
        """
        head = Head(after, GENESIS if after == 0 else self.get(after).chain)
        while True:
            page, size_bytes = self._verify_page(head)
            if page == head:
                return head
            head = page
            if advance is not None:
                advance(size_bytes)

    def _verify_page(self, head: Head) -> tuple[Head, int]:
        """Recompute the chain over the next events after a place; give the place where they end, and their bytes."""
        seq, chain = head
        size_bytes = 0
        with self._env.begin() as txn, txn.cursor(self._env.databases[EVENTS]) as cursor:
            if not cursor.set_range(_place(seq + 1)):
                return head, 0
            # Without the keys, which would cost a sixth of the time: in their order, the last one tells of any gap.
            for value in islice(_values(cursor), _SCAN_EVENTS):
                seq += 1
                chain = chained(chain, value[CHAIN_BYTES:])
                if not value.startswith(chain):
                    raise _changed(cursor, head)
                size_bytes += len(value)
            if seq < head.seq + _SCAN_EVENTS:
                cursor.last()  # Iterated to the end, it is nowhere.
            if cursor.key() != _place(seq):
                raise _changed(cursor, head)
        return Head(seq, chain), size_bytes


class LogWriter:
    """Appends events inside one write transaction; they are facts once it is committed."""

    __slots__ = ("_chain", "_hasher", "_puts", "_seq")

    def __init__(self, changes: Changes) -> None:
        """Go on after the last event that the transaction sees."""
        self._puts = changes.gathered(EVENTS)
        self._hasher = blake3()
        with changes.cursor(EVENTS) as cursor:
            self._seq, self._chain = _head(cursor)

    @property
    def head(self) -> Head:
        """The end of the log, with what was appended here."""
        return Head(self._seq, self._chain)

    def append(self, body: bytes) -> tuple[int, bytes]:
        """Append an encoded event; give its place, as in `Head`."""
        self.extend((body,))
        return self._seq, self._chain

    def extend(self, bodies: Iterable[bytes]) -> list[bytes]:
        """Append encoded events; give their chain hashes."""
        puts, hasher = self._puts, self._hasher
        update, digest, reset = hasher.update, hasher.digest, hasher.reset
        seq, chain = self._seq, self._chain
        chains = []
        for body in bodies:
            update(chain + body)
            chain = digest()
            reset()  # Used again, it takes a third less time than a new one.
            seq += 1
            puts[seq.to_bytes(8, "big")] = chain + body
            chains.append(chain)
        self._seq, self._chain = seq, chain
        return chains


def _head(cursor: lmdb.Cursor) -> Head:
    if not cursor.last():
        return Head(0, GENESIS)
    return Head(int.from_bytes(cursor.key(), "big"), bytes(cursor.value()[:CHAIN_BYTES]))


def _page(cursor: lmdb.Cursor, after: int, count: int) -> tuple[Sequence[int], list[bytes]]:
    """The places of so many events after a position, and the events."""
    if not cursor.set_range(_place(after + 1)):
        return (), []
    rows = list(islice(_values(cursor), count))  # Without the keys, which would cost half of the time.
    if len(rows) < count:
        cursor.last()  # Iterated to the end, it is nowhere.
    if cursor.key() == _place(after + len(rows)):
        return range(after + 1, after + 1 + len(rows)), rows
    cursor.set_range(_place(after + 1))  # Some are gone: the others are where they were.
    return [int.from_bytes(key, "big") for key in islice(cursor.iternext(values=False), count)], rows


def _values(cursor: lmdb.Cursor) -> Iterator[bytes]:
    """The values from where a cursor is, copied out: transactions here give no buffers."""
    return cast("Iterator[bytes]", cursor.iternext(keys=False))


def _place(seq: int) -> bytes:
    return seq.to_bytes(8, "big")


def _gone(seq: int) -> LogCorrupt:
    return LogCorrupt(f"event {seq} is gone", hint="Restore the log from a copy.", seq=seq)


def _changed(cursor: lmdb.Cursor, head: Head) -> LogCorrupt:
    """The error of the first event after a place that is not what the chain leads to."""
    seq, chain = head
    cursor.set_range(_place(seq + 1))
    for key, value in cursor.iternext():
        seq += 1
        chain = chained(chain, bytes(value[CHAIN_BYTES:]))
        if key != _place(seq) or value[:CHAIN_BYTES] != chain:
            break
    return LogCorrupt(f"the log was changed at event {seq}", hint="Restore it from a copy.", seq=seq)


def chained(previous: bytes, body: bytes) -> bytes:
    """The chain hash of an event after the previous one's."""
    digest: bytes = blake3(previous + body).digest()
    return digest
