"""Standings: which rows of a projection are in force, of what version, and how far they go.

A projection has two databases. Its rows are in one; a rebuild fills the other, and the transaction that completes it
says so here. So readers see the old rows until then, and the new ones from then on, in every process.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgpack

if TYPE_CHECKING:
    import lmdb

META = "meta"
"""Database that holds the standing of each projection."""


class Standing(NamedTuple):
    """Where a projection stands."""

    version: int
    """Of the projection's code."""
    database: str
    """Where its rows are."""
    upto: int | None
    """The last event in them; None where they are kept in the transactions that append."""


def databases_of(name: str) -> tuple[str, str]:
    """The two databases of a projection."""
    return name, f"{name}~"


def standing_key(name: str) -> bytes:
    """Where the standing of a projection is."""
    return b"projection/" + name.encode()


def shadow_key(name: str) -> bytes:
    """Where the standing of a projection's rebuild under way is."""
    return b"shadow/" + name.encode()


def encode_standing(standing: Standing) -> bytes:
    """A standing as it is stored."""
    encoded: bytes = msgpack.packb(standing)
    return encoded


def decode_standing(value: bytes | memoryview | None) -> Standing | None:
    """A stored standing; None for what is none, or what an older format had."""
    return None if value is None else _decoded(bytes(value))


@lru_cache
def _decoded(value: bytes) -> Standing | None:
    try:
        version, database, upto = msgpack.unpackb(value)
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
    return Standing(version, database, upto)


def standing_in(txn: lmdb.Transaction, databases: Mapping[str, Any], name: str) -> Standing | None:
    """Where a projection stands, as a transaction sees it."""
    return decode_standing(txn.get(standing_key(name), db=databases[META]))


def database_of(txn: lmdb.Transaction, databases: Mapping[str, Any], name: str) -> str:
    """The database that holds a projection's rows, as a transaction sees it."""
    standing = standing_in(txn, databases, name)
    return name if standing is None or standing.database not in databases else standing.database
