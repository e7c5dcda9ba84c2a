"""Rows that wait to be put, aside from any transaction that writes: nobody waits while they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .log import Database

if TYPE_CHECKING:
    import lmdb


class GatheredRows:
    """What some events make."""

    def __init__(self, environment: Database, txn: lmdb.Transaction | None = None) -> None:
        """Nothing yet."""
        self._env = environment
        self._rows: dict[str, dict[bytes, bytes]] = {}
        self.txn = txn
        """The one in which what is there already is read."""

    def gathered(self, database: str) -> dict[bytes, bytes]:
        """What is to be put into a database, to be added to."""
        return self._rows.setdefault(database, {})

    def cursor(self, database: str) -> lmdb.Cursor:
        """A cursor over what was put into a database by then."""
        assert self.txn is not None
        return self.txn.cursor(self._env.databases[database])
