"""The log: the append-only total order of events, and the chain that makes a change to it visible.

Row: key is the sequence number in 8 bytes big-endian, value ``chain hash (32 bytes) ‖ event bytes``,
with ``chain = BLAKE3(previous chain ‖ event bytes)`` and 32 zero bytes before the first event.
Invariant: sequence numbers are dense; commit order is sequence order, so whoever follows the log misses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from blake3 import blake3

from ..errors import LogCorrupt
from .codec import Recorded, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    import lmdb

EVENTS = "events"
"""The log's database inside the environment."""

CHAIN_BYTES = 32
GENESIS = bytes(CHAIN_BYTES)
_SCAN_EVENTS = 1000


class Database(Protocol):
    """What the log and its projections need of the environment that holds them."""

    databases: Mapping[str, Any]

    def begin(self, *, write: bool = False) -> lmdb.Transaction:
        """Begin a short transaction on this thread."""

    def errors(self, needed_bytes: int = 0) -> AbstractContextManager[None]:
        """Turn the database's errors into ours."""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the log: remember it, and any later change to what came before can be shown."""

    seq: int
    """Sequence number of the last event; 0 for an empty log."""
    chain: bytes


class Log:
    """The events of a store, in an environment opened with the `EVENTS` database."""

    def __init__(self, environment: Database) -> None:
        """Read and append in this environment."""
        self._env = environment

    def append(self, txn: lmdb.Transaction, bodies: Sequence[bytes]) -> list[tuple[int, bytes]]:
        """Append encoded events inside a write transaction; give each one's sequence number and chain hash.

        They are facts once the transaction is committed.
        """
        head = self._head(txn)
        seq, chain = head.seq, head.chain
        table = self._env.databases[EVENTS]
        places = []
        for body in bodies:
            seq += 1
            chain = chained(chain, body)
            if not txn.put(seq.to_bytes(8, "big"), chain + body, db=table, append=True):
                raise LogCorrupt("the log's last event is not its newest", hint="Restore it from a copy.", seq=seq)
            places.append((seq, chain))
        return places

    def head(self) -> Head:
        """The end of the log as committed."""
        with self._env.begin() as txn:
            return self._head(txn)

    def _head(self, txn: lmdb.Transaction) -> Head:
        with txn.cursor(self._env.databases[EVENTS]) as cursor:
            if not cursor.last():
                return Head(0, GENESIS)
            return Head(int.from_bytes(cursor.key(), "big"), bytes(cursor.value()[:CHAIN_BYTES]))

    def get(self, seq: int) -> Recorded:
        """The event at this position, which must exist."""
        with self._env.begin() as txn:
            value = txn.get(seq.to_bytes(8, "big"), db=self._env.databases[EVENTS])
        if value is None:
            raise LogCorrupt(f"event {seq} is gone", hint="Restore the log from a copy.", seq=seq)
        return decode(seq, bytes(value[:CHAIN_BYTES]), bytes(value[CHAIN_BYTES:]))

    def scan(self, after: int = 0, upto: int | None = None) -> Iterator[Recorded]:
        """The events after one position, up to and with another, oldest first.

        Reads in short transactions, so a slow caller pins nothing and sees what is appended meanwhile.
        """
        for seq, value in self._values(after, upto):
            yield decode(seq, value[:CHAIN_BYTES], value[CHAIN_BYTES:])

    def _values(self, after: int, upto: int | None) -> Iterator[tuple[int, bytes]]:
        while True:
            page: list[tuple[int, bytes]] = []
            with self._env.begin() as txn, txn.cursor(self._env.databases[EVENTS]) as cursor:
                found = cursor.set_range((after + 1).to_bytes(8, "big"))
                while found and len(page) < _SCAN_EVENTS:
                    page.append((int.from_bytes(cursor.key(), "big"), bytes(cursor.value())))
                    found = cursor.next()
            for seq, value in page:
                if upto is not None and seq > upto:
                    return
                yield seq, value
            if len(page) < _SCAN_EVENTS:
                return
            after = page[-1][0]

    def verify(self, after: int = 0) -> Head:
        """Recompute the chain from one position to the end, and give the end.

        Raises:
            LogCorrupt: An event was changed, dropped, added or moved; ``seq`` says which one is the first.
        """
        expected, chain = after, GENESIS
        if after > 0:
            chain = self.get(after).chain
        for seq, value in self._values(after, None):
            expected += 1
            chain = chained(chain, value[CHAIN_BYTES:])
            if seq != expected or chain != value[:CHAIN_BYTES]:
                raise LogCorrupt(
                    f"the log was changed at event {expected}", hint="Restore it from a copy.", seq=expected
                )
        return Head(expected, chain)


def chained(previous: bytes, body: bytes) -> bytes:
    """The chain hash of an event after the previous one's."""
    digest: bytes = blake3(previous + body).digest()
    return digest
