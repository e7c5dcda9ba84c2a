"""Roots of the hash tree over a log that are kept, so that they need not be made again; dropping them loses nothing.

Row: key ``level (1 byte) ‖ index (8 bytes, big-endian)``, value ``root (32 bytes) ‖ seal (16 bytes)``, with
``seal = BLAKE3(2 ‖ key ‖ root ‖ chain hash of the last event below it)``, cut off.
Invariant: a row whose seal does not fit the log as it is counts as missing, so neither damage nor a log that was put
back from a copy gives a wrong root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blake3 import blake3

from ..cas.digest import DIGEST_BYTES
from ..errors import StoreFull
from .log import CHAIN_BYTES, EVENTS, Database

if TYPE_CHECKING:
    import lmdb

HASH_TREE = "hash_tree"
"""The database of the rows."""
_SEAL = b"\2"
_SEAL_BYTES = 16


class KeptRoots:
    """The rows, in an environment opened with the databases `EVENTS` and `HASH_TREE`.

    To read, the second may be missing, as in a store of an older version.
    """

    def __init__(self, environment: Database) -> None:
        """Read and write in this environment."""
        self._env = environment

    def get(self, level: int, index: int) -> bytes | None:
        """The root of a complete subtree, if it is kept and fits the log."""
        with self._env.begin() as txn:
            row = self._stored(txn, level, index)
            found = None if row is None else row[:DIGEST_BYTES]
            return found if found is not None and row == _row(txn, self._events, level, index, found) else None

    def differs(self, level: int, index: int, root: bytes) -> bool:
        """Whether another root is kept than this one, which is the log's."""
        with self._env.begin() as txn:
            row = self._stored(txn, level, index)
            return row is not None and row != _row(txn, self._events, level, index, root)

    def put(self, roots: dict[tuple[int, int], bytes]) -> None:
        """Keep roots, by level and index, in one transaction; a full disk keeps none.

        A row that is there stays: where it fits the log no more, it is a trace of what was done to the log.
        """
        try:
            with self._env.begin(write=True) as txn, txn.cursor(self._rows) as cursor:
                rows = [(_key(*place), _row(txn, self._events, *place, root)) for place, root in roots.items()]
                cursor.putmulti(sorted(rows), overwrite=False)
        except StoreFull:
            return  # Who asks for a head on a full disk still gets it; it only takes as long the next time.

    def forget(self) -> None:
        """Drop all rows."""
        with self._env.begin(write=True) as txn:
            txn.drop(self._rows, delete=False)

    def extent(self, level: int) -> tuple[int, int]:
        """How many events the last row of a level reaches to, and how many the log has, at one moment."""
        if self._rows is None:
            return 0, 0
        with self._env.begin() as txn, txn.cursor(self._rows) as rows, txn.cursor(self._events) as events:
            is_found = rows.prev() if rows.set_range(_key(level + 1, 0)) else rows.last()
            reached = int.from_bytes(rows.key()[1:], "big") + 1 << level if is_found else 0
            return reached, int.from_bytes(events.key(), "big") if events.last() else 0

    def _stored(self, txn: lmdb.Transaction, level: int, index: int) -> bytes | None:
        row = None if self._rows is None else txn.get(_key(level, index), db=self._rows)
        return None if row is None else bytes(row)

    @property
    def _rows(self) -> Any:
        return self._env.databases.get(HASH_TREE)

    @property
    def _events(self) -> Any:
        return self._env.databases[EVENTS]


def _row(txn: lmdb.Transaction, events: Any, level: int, index: int, root: bytes) -> bytes:
    event = txn.get((index + 1 << level).to_bytes(8, "big"), db=events)
    chain = b"" if event is None else bytes(event[:CHAIN_BYTES])
    return root + blake3(_SEAL + _key(level, index) + root + chain).digest(_SEAL_BYTES)


def _key(level: int, index: int) -> bytes:
    return bytes([level]) + index.to_bytes(8, "big")
