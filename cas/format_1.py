"""The catalog of stores of format 1, which knew neither packs nor checksums, and its way to format 2.

A row was ``place (0 file, 1 inline) ‖ kind ‖ size (8 bytes, little-endian)``, and the bytes where they were inline.
"""

from __future__ import annotations

import struct

from ..errors import BlobCorrupt
from .digest import DIGEST_BYTES, Digest
from .environment import Environment
from .place import WHOLE, BlobKind, Inline, Row, encode_row
from .progress import Stage
from .store import CATALOG

_ROW = struct.Struct("<BBQ")
_WHOLE, _INLINE = 0, 1


def decode_row_1(digest: bytes, data: bytes) -> Row:
    """Read a row of format 1. Raises `BlobCorrupt` if it is none."""
    try:
        code, kind, size_bytes = _ROW.unpack_from(data)
        held = data[_ROW.size :]
        is_sound = len(held) == size_bytes if code == _INLINE else code == _WHOLE and not held
        if is_sound and len(digest) == DIGEST_BYTES:
            return Row(BlobKind(kind), size_bytes, Inline(held) if code == _INLINE else WHOLE)
    except (struct.error, ValueError) as error:
        raise _damaged(digest) from error
    raise _damaged(digest)


def upgrade_catalog(environment: Environment, stage: Stage) -> None:
    """Give every row of the catalog its checksum, all in one transaction. Raises `BlobCorrupt` for a damaged one."""
    catalog = environment.databases[CATALOG]
    with environment.begin(write=True) as txn, txn.cursor(catalog) as cursor:
        found = cursor.first()
        while found:
            key, data = bytes(cursor.key()), bytes(cursor.value())
            row = decode_row_1(key, data)
            txn.put(key, encode_row(Digest(key), row), db=catalog)
            stage.advance(len(data))
            found = cursor.set_range(key + b"\0")


def _damaged(digest: bytes) -> BlobCorrupt:
    return BlobCorrupt(f"the catalog's row of blob {digest.hex()[:12]}… is damaged", digest=digest.hex())
