"""The catalog of stores of format 1, which knew neither packs nor checksums, brought to today's.

A row was ``place (0 file, 1 inline) ‖ kind ‖ size (8 bytes, little-endian)``, and the bytes where they were inline.
"""

from __future__ import annotations

import struct

from .digest import Digest
from .environment import Environment
from .place import WHOLE, BlobKind, Inline, Row, encode_row
from .store import CATALOG

_ROW = struct.Struct("<BBQ")
_INLINE = 1
_PAGE_ROWS = 1000


def upgrade_catalog(environment: Environment, done_database: str, done_key: bytes) -> None:
    """Rewrite every row, and note under a key that this is done, all in one transaction."""
    catalog = environment.databases[CATALOG]
    with environment.begin(write=True) as txn:
        if txn.get(done_key, db=environment.databases[done_database]) is not None:
            return
        after = b""
        while True:
            with txn.cursor(catalog) as cursor:
                page: list[tuple[bytes, bytes]] = []
                found = cursor.set_range(after) if after else cursor.first()
                while found and len(page) < _PAGE_ROWS:
                    page.append((bytes(cursor.key()), bytes(cursor.value())))
                    found = cursor.next()
            for key, data in page:
                txn.put(key, _upgraded(Digest(key), data), db=catalog)
            if len(page) < _PAGE_ROWS:
                break
            after = page[-1][0] + b"\0"
        txn.put(done_key, b"", db=environment.databases[done_database])


def _upgraded(digest: Digest, data: bytes) -> bytes:
    code, kind, size_bytes = _ROW.unpack_from(data)
    place = Inline(data[_ROW.size :]) if code == _INLINE else WHOLE
    return encode_row(digest, Row(BlobKind(kind), size_bytes, place))
