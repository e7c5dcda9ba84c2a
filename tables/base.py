"""What a table is: a name, columns, and where batches of them come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ..events.log import Database
from .cuts import Positions
from .packed import Integers

Batch = dict[str, Any]
"""Columns by name."""


class Source(NamedTuple):
    """What a table is read from."""

    database: Database
    upto: int
    """The last event that it shows."""


class Definition(NamedTuple):
    """A table. To add one, write this and put it among `DEFINITIONS`."""

    name: str
    schema: pa.Schema
    batches: Callable[[Source], Iterator[Batch]]


TIME = pa.timestamp("us", tz="UTC")
CODE = pa.dictionary(pa.int32(), pa.string())
"""A word of a few."""


def columns(**types: Any) -> pa.Schema:
    """A schema; a type given by its name is Arrow's of that name."""
    kinds = {name: pa.type_for_alias(kind) if isinstance(kind, str) else kind for name, kind in types.items()}
    return pa.schema(list(kinds.items()))


def times(column: Integers) -> pa.Array:
    """Microseconds since the epoch as times."""
    return column.arrow(TIME)


def seconds(column: Integers) -> pa.Array:
    """Microseconds as seconds."""
    return pa.array(column.values / 1_000_000, mask=column.missing)


def coded(codes: Any, words: list[str]) -> pa.Array:
    """Words of a few, by their place among these."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(words, pa.string()))


def always(word: str, rows: int) -> pa.Array:
    """One word of a few in every row."""
    return coded(np.zeros(rows, np.int32), [word])


def seqs(positions: Positions) -> pa.Array:
    """Positions in the log."""
    return pa.array(positions, pa.int64())


def batch_of(schema: pa.Schema, found: Batch, rows: int) -> pa.RecordBatch:
    """A batch; columns that were not found are missing in every row."""
    arrays = [found[field.name] if field.name in found else pa.nulls(rows, field.type) for field in schema]
    return pa.RecordBatch.from_arrays(
        [one if one.type == field.type else one.cast(field.type) for one, field in zip(arrays, schema, strict=True)],
        schema=schema,
    )
