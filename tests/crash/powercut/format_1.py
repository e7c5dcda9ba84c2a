"""Stores as format 1 had them: no packs, no checksums in the catalog."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from lineal.cas import CATALOG, Inline, Whole
from lineal.cas.place import decode_row
from lineal.directory import open_environment


def make_format_1(path: Path) -> None:
    """Bring a closed store whose blobs are all inline or whole to its older format."""
    environment = open_environment(path, 1 << 34, read_only=False)
    with environment.begin(write=True) as txn:
        catalog = environment.databases[CATALOG]
        for key, data in [(bytes(key), bytes(value)) for key, value in txn.cursor(catalog)]:
            row = decode_row(key, data)
            assert isinstance(row.place, Whole | Inline)
            is_inline = isinstance(row.place, Inline)
            old = struct.pack("<BBQ", is_inline, row.kind, row.size_bytes)
            txn.put(key, old + (row.place.data if isinstance(row.place, Inline) else b""), db=catalog)
    environment.close()
    set_version(path, 1)


def set_version(path: Path, version: int) -> None:
    """Change what FORMAT says."""
    fields = json.loads((path / "FORMAT").read_text())
    fields["version"] = version
    (path / "FORMAT").write_text(json.dumps(fields))
