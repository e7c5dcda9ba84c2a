"""The table of what materializers said of values when they were saved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ..events.catalogue import Output
from ..events.projections.artifacts import BY_HAND
from .base import Batch, Definition, Source, columns, seqs
from .cuts import Positions
from .heads import IS_MAP
from .json_text import json_of
from .of_steps import MAKERS
from .packed import Cells
from .pages import LogPage, Read, columns_of, events_at, fields_of
from .version_rows import version_rows

_SAID: dict[str, Read] = {"artifact": Cells.texts, "content": Cells.hexes, "metadata": Cells.value}
_PAGE_VERSIONS = 4096
"""So many are told at a time: each may have dozens of rows."""


class _Versions(NamedTuple):
    """What is to be told of."""

    artifacts: pa.Array
    numbers: Positions
    contents: pa.Array
    seqs: Positions
    said: Cells
    """Metadata of each."""


def _computed(source: Source) -> Iterator[Batch]:
    for page in version_rows(source):
        versions = list(zip(page.artifacts.to_pylist(), page.contents.to_pylist(), page.seqs.tolist(), strict=True))
        numbers = page.numbers.values.tolist()
        for start in range(0, len(versions), _PAGE_VERSIONS):
            part = slice(start, start + _PAGE_VERSIONS)
            wanted = dict(zip(versions[part], numbers[part], strict=True))
            for events in events_at(source.database, page.seqs[part]):
                for made in _made(events, wanted):
                    yield from _rows(made)


def _made(events: LogPage, wanted: dict[tuple[str, str, int], int]) -> Iterator[_Versions]:
    """What events made of the wanted versions, which have a number for each artifact, content and position."""
    several = columns_of(events, MAKERS, {"outputs": Cells.elements})
    if several is not None:
        rows, outputs = several.fields["outputs"]
        yield _outputs(outputs.entered(), several.seq[rows], wanted)
    single = columns_of(events, BY_HAND, {"output": Cells.record})
    if single is not None:
        yield _outputs(single.fields["output"], single.seq, wanted)


def _outputs(outputs: Cells, positions: Positions, wanted: dict[tuple[str, str, int], int]) -> _Versions:
    found = fields_of(outputs, Output._fields, _SAID)
    places = zip(found["artifact"].to_pylist(), found["content"].to_pylist(), positions.tolist(), strict=True)
    numbers = np.array([wanted.pop(place, 0) for place in places], np.int64)
    chosen = numbers.nonzero()[0]
    artifacts, contents = (_some(found[name], chosen) for name in ("artifact", "content"))
    return _Versions(artifacts, numbers[chosen], contents, positions[chosen], found["metadata"].where(chosen))


def _some(column: pa.Array, places: Positions) -> pa.Array:
    """What a column has at some places, which are in order, and each once."""
    return column if len(places) == len(column) else column.take(pa.array(places))


def _rows(made: _Versions) -> Iterator[Batch]:
    """A row for each key; for each item of what has items by name, as a mean for each column."""
    rows, keys, values = made.said.items()
    key, heads = keys.texts(), values.heads()
    has_items = IS_MAP.take(heads) & (heads != _EMPTY)
    single, several = (~has_items).nonzero()[0], has_items.nonzero()[0]
    if single.size:
        yield _batch(made, rows[single], _some(key, single), values.where(single))
    if several.size:
        inner_rows, items, inner = values.where(several).items()
        places = several[inner_rows]
        yield _batch(made, rows[places], key.take(pa.array(places)), inner) | {"item": items.texts()}


def _batch(made: _Versions, rows: Positions, key: pa.Array, values: Cells) -> Batch:
    taken = pa.array(rows)
    return {
        "artifact": made.artifacts.take(taken),
        "version": pa.array(made.numbers[rows]),
        "content": made.contents.take(taken),
        "key": key,
        "value": json_of(values.where(slice(None))).whole(len(values)),
        "number": values.floats(),
        "seq": seqs(made.seqs[rows]),
    }


_EMPTY = 0x80
"""Head of a map that has nothing."""
_SCHEMA = columns(
    artifact="string",
    version="int64",
    content="string",
    key="string",
    item="string",
    value="string",
    number="double",
    seq="int64",
)
COMPUTED = Definition("computed_metadata", _SCHEMA, _computed)
