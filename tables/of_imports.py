"""The table of imports: what came from other stores, and whether it is trusted."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from ..events.projections import Imports
from ..events.rows import RowReader, key
from .base import Batch, Definition, Source, columns

_SCHEMA = columns(store="string", events="int64", is_trusted="bool", seq="int64")


def _imports(source: Source) -> Iterator[Batch]:
    rows = RowReader(source.database, Imports.name, source.upto)
    lines = []
    for seq, (store, events) in rows.history(key("i")):
        said = rows.latest(key("t", bytes(store)))
        lines.append((store.hex(), events, said is not None and said.row and seq < said.seq, seq))
    if lines:
        found = zip(_SCHEMA, zip(*lines, strict=True), strict=True)
        yield {field.name: pa.array(column, field.type) for field, column in found}


IMPORTS = Definition("imports", _SCHEMA, _imports)
