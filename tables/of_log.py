"""Tables of the log: its events, and the digests that they name."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from .base import CODE, TIME, Batch, Definition, Source, coded, columns, seqs, times
from .pages import log_pages


def _events(source: Source) -> Iterator[Batch]:
    for page in log_pages(source.database, source.upto):
        cells = page.cells
        found = {"seq": seqs(page.seqs), "type": coded(page.codes, page.types), "id": cells.hexes()}
        found["time"] = times(cells.integers())
        found["origin"], found["stream"] = cells.hexes(), cells.hexes()
        rows, named = cells.elements()
        offsets = np.searchsorted(rows, np.arange(len(page.seqs) + 1)).astype(np.int32)
        found["refs"] = pa.ListArray.from_arrays(pa.array(offsets), named.hexes())
        found["payload"] = cells.raw()
        yield found


def _references(source: Source) -> Iterator[Batch]:
    for page in log_pages(source.database, source.upto):
        rows, named = page.cells.skip(4).elements()
        yield {"digest": named.hexes(), "seq": seqs(page.seqs[rows]), "type": coded(page.codes[rows], page.types)}


EVENTS = Definition(
    "events",
    columns(
        seq="int64",
        time=TIME,
        type=CODE,
        id="string",
        origin="string",
        stream="string",
        refs=pa.list_(pa.string()),
        payload="binary",
    ),
    _events,
)
REFERENCES = Definition("references", columns(digest="string", seq="int64", type=CODE), _references)
